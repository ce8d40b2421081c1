import API
import NetTypes
import Reports
import Testing

struct RouteTests {
    @Test func `reports arrive as they were sent`() async throws {
        let agent = FakeAgent(recorded: [.sample(1), .sample(2, at: 100)])
        try await withServer(agent) { client, _ in
            let status = try await client.status()
            let counters = try await client.counters()
            let all = try await client.violations()
            let late = try await client.violations(
                ViolationsQuestion(since: Timestamp(milliseconds: 100_000)))

            #expect(await status == agent.status())
            #expect(try await counters == agent.counters())
            #expect(all.violations == [.sample(1), .sample(2, at: 100)])
            #expect(late.violations == [.sample(2, at: 100)])
        }
    }

    @Test func `hostile names travel whole, and are escaped in tables`() async throws {
        try await withServer(FakeAgent()) { client, _ in
            let status = try await client.status()

            #expect(status.endpoints.map(\.name) == ["evil\u{1b}[2J"])
            #expect(status.text(width: 80).contains("evil\\u{1b}[2J"))
            #expect(!status.text(width: 80).contains("\u{1b}"))
        }
    }

    @Test(arguments: [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ready\n"),
        (
            "/v1/status?x=1", 400,
            #"{"error":"unknown query parameter 'x'","fix":"leave the query out"}"# + "\n"
        ),
        (
            "/v1/violations?folow=true", 400,
            #"{"error":"unknown query parameter 'folow'","fix":"use since or until or tenant or "#
                + #"source or destination or reason or follow or limit or cursor"}"# + "\n"
        ),
        (
            "/v1/violations?follow=yes", 400,
            #"{"error":"'yes' is no value of 'follow'","fix":"write true or false"}"# + "\n"
        ),
        (
            "/v1/violations?since=yesterday", 400,
            #"{"error":"'yesterday' in 'since' is not a time","#
                + #""fix":"write it in UTC like 2026-01-02T03:04:05.678Z"}"# + "\n"
        ),
        (
            "/v1/violations?since=1970-01-01&since=1970-01-02", 400,
            #"{"error":"query parameter 'since' is given twice","fix":"give it once"}"# + "\n"
        ),
        (
            "/v2/status", 404,
            #"{"error":"there is no /v2/status","fix":"use one of /v1/status, /v1/tenants, "#
                + #"/v1/endpoints, /v1/rules, /v1/flows, /v1/counters, /v1/violations, "#
                + #"/v1/matrix, /v1/history, /v1/drift, /v1/events, /metrics, /healthz, /readyz, "#
                + #"/openapi.json"}"# + "\n"
        ),
    ])
    func `answers`(_ path: String, _ status: Int, _ body: String) async throws {
        try await withServer(FakeAgent()) { client, _ in
            let answer = try await client.get(path)

            #expect(answer.status == status)
            #expect(String(decoding: answer.body, as: UTF8.self) == body)
        }
    }

    @Test func `is not ready before the first generation`() async throws {
        try await withServer(FakeAgent(generation: 0, isReconciled: false)) { client, _ in
            let answer = try await client.get("/readyz")
            let isReady = try await client.isReady()

            #expect(answer.status == 503)
            #expect(!isReady)
        }
    }

    @Test func `is ready once everything is known to be in force`() async throws {
        try await withServer(FakeAgent(generation: 0, isReconciled: true)) { client, _ in
            let isReady = try await client.isReady()
            #expect(isReady)
        }
    }

    @Test func `an error of the agent is told to the client`() async throws {
        try await withServer(FakeAgent(isBroken: true)) { client, _ in
            let expected = APIClientError.refused(
                status: 500, error: "the store is locked",
                fix: "try again, and see the log of the agent")
            await #expect(throws: expected) { try await client.counters() }
        }
    }
}
