import AgentCore
import Reports
import Testing

@Suite struct PendingGenerationTests {
    private let start = ContinuousClock.now

    @Test func `a generation tells what changed, and since when`() {
        var pending = PendingGeneration()
        pending.noteSaved(at: start)
        pending.noteSaved(at: start + .seconds(1))
        pending.note("a.yaml", digest: "1")
        pending.note("b.yaml", digest: "2")
        pending.note("a.yaml", digest: "3")
        pending.note("b.yaml", digest: nil)
        let news = pending.take()
        #expect(news.files == ["a.yaml": "3"])
        #expect(news.changes.map(\.kind) == [.added, .added, .changed, .removed])
        #expect(news.saved == start)
        let next = pending.take()
        #expect(next.changes.isEmpty && next.saved == nil && next.files == news.files)
    }

    @Test func `what was left out comes with the next one`() {
        var pending = PendingGeneration()
        pending.noteSaved(at: start)
        pending.note("a.yaml", digest: "1")
        let news = pending.take()
        pending.noteSaved(at: start + .seconds(1))
        pending.note("b.yaml", digest: "2")
        let left = pending.putBack(news)
        #expect(left.changes.isEmpty && left.saved == nil)
        let next = pending.take()
        #expect(next.changes.map(\.file) == ["a.yaml", "b.yaml"])
        #expect(next.saved == start)
    }

    @Test func `what was in force before is no change`() {
        var pending = PendingGeneration()
        pending.note("a.yaml", digest: "1")
        pending.forgetChanges()
        pending.noteSaved(at: start)
        pending.forgetSaved()
        let news = pending.take()
        #expect(news.changes.isEmpty && news.saved == nil && news.files == ["a.yaml": "1"])
    }
}
