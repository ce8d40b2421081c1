import NetTypes
import Reports
import Synchronization
import Testing

@testable import API

struct FollowTests {
    private struct Enough: Error {}

    @Test func `violations come one by one, the recorded ones first and none twice`() async throws {
        let agent = FakeAgent(recorded: [.sample(1), .sample(2, at: 100)])
        try await withServer(agent) { client, _ in
            var ports: [UInt16?] = []
            try? await client.followViolations(
                ViolationsQuestion(since: Timestamp(milliseconds: 50_000))
            ) { event in
                guard case .violation(let violation) = event else { return }
                ports.append(violation.ports?.destination)
                let next = UInt16(ports.count) + 2
                if next > 6 { throw Enough() }
                agent.emit(.sample(next, at: 200))
            }
            #expect(ports == [2, 3, 4, 5, 6])
        }
    }

    @Test func `without since only new ones come`() async throws {
        let agent = FakeAgent(recorded: [.sample(1)])
        try await withServer(agent) { client, _ in
            let emitting = Task {
                try await eventually { agent.streams.begun == 1 }
                agent.emit(.sample(2))
                agent.stop()
            }
            var seen: [StreamedViolation] = []
            try await client.followViolations { seen.append($0) }
            try await emitting.value
            #expect(seen == [.violation(.sample(2))])
        }
    }

    @Test func `drift comes one by one, the recorded first, and no other events`() async throws {
        let agent = FakeAgent()
        var more = DriftRecord.sample
        more.times = 3
        let (other, grown) = (
            DriftRecord(found: more.found, endpoint: "x", change: "", isRepaired: true), more
        )
        try await withServer(agent) { client, _ in
            let question = DriftQuestion(since: Timestamp(milliseconds: 1500), tenant: "shop")
            #expect(try await client.drift(question).drift == [.sample])
            #expect(try await client.drift(DriftQuestion(tenant: "db")).drift == [])
            var seen: [StreamedDrift] = []
            try await client.followDrift(question) { event in
                seen.append(event)
                guard seen.count == 1 else { return agent.stop() }
                agent.emit(.sample(1))
                agent.emit(other)
                agent.emit(grown)
            }
            #expect(seen == [.drift(.sample), .drift(grown)])
        }
    }

    @Test func `a silent stream has heartbeats, which the client leaves out`() async throws {
        let agent = FakeAgent()
        try await withServer(agent, heartbeat: .milliseconds(5)) { client, _ in
            let stopping = Task {
                try await eventually { agent.streams.begun == 2 }
                try await Task.sleep(for: .milliseconds(100))
                agent.stop()
            }
            async let answer = client.get("/v1/violations?follow=true")
            try await client.followViolations { _ in Issue.record("nothing was refused") }
            let body = try await answer.body
            try await stopping.value
            #expect(body.count >= 3)
            #expect(body.allSatisfy { $0 == UInt8(ascii: "\n") })
        }
    }

    @Test func `a reader that leaves ends its stream in the agent`() async throws {
        let agent = FakeAgent()
        try await withServer(agent) { client, _ in
            let reading = Task { try await client.followViolations { _ in } }
            try await eventually { agent.streams.begun == 1 }
            reading.cancel()
            await #expect(throws: CancellationError.self) { try await reading.value }
            try await eventually { agent.streams.ended == 1 }
        }
    }

    @Test func `what a slow reader misses is counted and told`() async throws {
        let (lines, continuation) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingOldest(2))
        let sink = LineSink(continuation, .violationLines, lost: 0)
        for port in 1...5 as ClosedRange<UInt16> { await sink.send(.violation(.sample(port))) }
        var reader = lines.makeAsyncIterator()

        let first = await reader.next()
        await sink.send(.violation(.sample(6)))
        let second = await reader.next()
        let third = await reader.next()
        await sink.beat()
        await sink.beat()

        #expect(try event(first) == .violation(.sample(1)))
        #expect(try event(second) == .violation(.sample(2)))
        #expect(try event(third) == .lost(3))
        #expect(try event(await reader.next()) == .lost(1))
        #expect(await reader.next() == [UInt8(ascii: "\n")])
    }

    private func event(_ line: [UInt8]?) throws -> StreamedViolation {
        try ReportJSON.read(StreamedViolation.self, from: try #require(line))
    }

    @Test func `a graceful shutdown ends streams`() async throws {
        let agent = FakeAgent()
        let reading = Mutex<Task<Void, any Error>?>(nil)
        try await withServer(agent) { client, _ in
            reading.withLock { $0 = Task { try await client.followViolations { _ in } } }
            try await eventually { agent.streams.begun == 1 }
        }
        try await reading.withLock { $0 }?.value
        #expect(agent.streams.ended == 1)
    }
}
