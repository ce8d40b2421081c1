import AgentCore
import NetTypes
import Testing

@Suite struct RefusalPollingTests {
    private let start = ContinuousClock.now
    private let one = NamespaceID(device: 0, inode: 1)
    private let other = NamespaceID(device: 0, inode: 2)

    @Test func `a flood at one endpoint is read in its share, and the other at once`() {
        var polling = RefusalPolling()
        var now = start
        var readings = 0
        for _ in 0..<1000 {
            if polling.logged(one, at: now) {
                readings += 1
                polling.charge(one, from: now, to: now + .milliseconds(2))
            }
            now += .milliseconds(1)
        }
        #expect(readings > 10 && readings < 100)
        // All together may use a third of the time, of which one flood leaves enough.
        let isNow = polling.logged(other, at: now + .milliseconds(100))
        #expect(isNow)
    }

    @Test func `what waits longest is read first, and once`() {
        var polling = RefusalPolling()
        polling.schedule(one, at: start + .seconds(2))
        polling.schedule(other, at: start + .seconds(1))
        #expect(polling.next(start) == start + .seconds(1))
        let early = polling.takeDue(start)
        let first = polling.takeDue(start + .seconds(3))
        let second = polling.takeDue(start + .seconds(3))
        let third = polling.takeDue(start + .seconds(3))
        #expect([early, first, second, third] == [nil, other, one, nil])
    }

    @Test func `nothing is due while the budget of all is used up`() {
        var polling = RefusalPolling()
        polling.charge(one, from: start, to: start + .seconds(1))
        polling.schedule(other, at: start)
        let due = polling.takeDue(start + .seconds(1))
        #expect(due == nil)
        let next = polling.next(start + .seconds(1))
        #expect(next == start + .seconds(3) - .milliseconds(200))
        polling.forget(other)
        #expect(polling.next(start) == nil)
    }
}
