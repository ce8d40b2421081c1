import Foundation
import Testing

@testable import Agent

/// The thread that everything of the agent happens on.
@Suite struct EventLoopTests {
    private actor Counter {
        nonisolated let loop: EventLoop
        private(set) var count = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            loop.asUnownedSerialExecutor()
        }

        init(_ loop: EventLoop) { self.loop = loop }

        func increase() { count += 1 }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a loop that is stopped while jobs come in ends`() async throws {
        for _ in 1...300 {
            let loop = try EventLoop()
            let counter = Counter(loop)
            let (ended, continuation) = AsyncStream<Void>.makeStream()
            Thread {
                try? loop.run { _ in nil }
                continuation.finish()
            }.start()
            await counter.increase()
            // It may come when the loop is over, and must not keep it from ending.
            Task { await counter.increase() }
            loop.stop()
            for await _ in ended {}
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a job that comes when the loop is over is run, and lets go of its actor`() async throws {
        weak var gone: Counter?
        do {
            let loop = try EventLoop()
            let counter = Counter(loop)
            gone = counter
            let (ended, continuation) = AsyncStream<Void>.makeStream()
            Thread {
                try? loop.run { _ in nil }
                continuation.finish()
            }.start()
            loop.stop()
            for await _ in ended {}
            await counter.increase()
            #expect(await counter.count == 1)
        }
        while gone != nil { try await Task.sleep(for: .milliseconds(1)) }
    }
}
