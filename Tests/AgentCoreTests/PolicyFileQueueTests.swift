import AgentCore
import Testing

@Suite struct PolicyFileQueueTests {
    private let start = ContinuousClock.now

    @Test func `a file that is written to waits until it is left alone`() {
        var queue = PolicyFileQueue()
        queue.changed("a.yaml", at: start, settlingIn: .milliseconds(20))
        queue.changed("a.yaml", at: start + .milliseconds(15), settlingIn: .milliseconds(20))
        let early = queue.takeDue(start + .milliseconds(30))
        #expect(early.isEmpty && queue.isWaiting("a.yaml"))
        let due = queue.takeDue(start + .milliseconds(35))
        #expect(due == ["a.yaml"] && queue.isEmpty)
    }

    @Test func `a file that is closed is read at once`() {
        var queue = PolicyFileQueue()
        queue.changed("a.yaml", at: start, settlingIn: .milliseconds(20))
        let isNow = queue.written("a.yaml", at: start + .milliseconds(1))
        #expect(isNow && queue.isEmpty && queue.next == nil)
    }

    @Test func `a file that is saved without end waits, and no other does`() {
        var queue = PolicyFileQueue()
        var now = start
        var reads = 0
        for _ in 0..<100 {
            if queue.written("busy.yaml", at: now) {
                reads += 1
                queue.charge(["busy.yaml"], from: now, to: now + .milliseconds(100))
            }
            now += .milliseconds(100)
        }
        #expect(reads < 30)
        let isNow = queue.written("other.yaml", at: now)
        #expect(isNow)
    }

    @Test func `a file that turns empty is believed after a while`() {
        var queue = PolicyFileQueue()
        let first = queue.foundEmpty("a.yaml", at: start, settlingIn: .seconds(1))
        #expect(!first && queue.next == start + .seconds(1))
        _ = queue.takeDue(start + .seconds(1))
        let second = queue.foundEmpty("a.yaml", at: start + .seconds(1), settlingIn: .seconds(1))
        #expect(second)
        // It begins again after something was written.
        _ = queue.foundEmpty("a.yaml", at: start + .seconds(2), settlingIn: .seconds(1))
        queue.foundNotEmpty("a.yaml")
        let third = queue.foundEmpty(
            "a.yaml", at: start + .milliseconds(3100), settlingIn: .seconds(1))
        #expect(!third)
    }

    @Test func `a plan leaves an earlier one alone`() {
        var queue = PolicyFileQueue()
        queue.postpone("a.yaml", until: start + .seconds(5))
        queue.plan("a.yaml", at: start + .seconds(1))
        queue.plan("b.yaml", at: start + .seconds(2))
        #expect(queue.next == start + .seconds(2))
        #expect(Set(queue.waiting) == ["a.yaml", "b.yaml"])
    }
}
