import AgentCore
import Testing

@Suite struct SourceThrottleTests {
    private let start = ContinuousClock.now

    @Test func `a tenant that never stops pauses, and no other does`() {
        var throttle = SourceThrottle()
        let end = start + .seconds(1)
        throttle.charge([.tenant("busy")], from: start, to: end)
        #expect(throttle.pause(of: .tenant("busy"), at: end) == end + .milliseconds(7800))
        #expect(throttle.pause(of: .tenant("quiet"), at: end) == nil)
        #expect(throttle.pause(of: .folders, at: end) == nil)
        #expect(throttle.pause(of: .tenant("busy"), at: end + .seconds(8)) == nil)
    }

    @Test func `sources that are handled together share what it took`() {
        var throttle = SourceThrottle()
        let end = start + .seconds(1)
        throttle.charge([.tenant("a"), .tenant("b")], from: start, to: end)
        let pauses = ["a", "b"].map { throttle.pause(of: .tenant($0), at: end) }
        #expect(pauses == [end + .milliseconds(3800), end + .milliseconds(3800)])
    }

    @Test func `what rarely happens is never paused`() {
        var throttle = SourceThrottle()
        for second in 0..<100 {
            let now = start + .seconds(second)
            #expect(throttle.pause(of: .unclaimed, at: now) == nil)
            throttle.charge([.unclaimed], from: now, to: now + .milliseconds(20))
        }
    }
}
