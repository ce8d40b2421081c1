import AgentCore
import Testing

/// What seldom happens is done at once, and what never stops gets its share.
@Suite struct RateBudgetTests {
    @Test func `what seldom happens never waits`() {
        var budget = RateBudget()
        var now = ContinuousClock.now
        for _ in 0..<1000 {
            #expect(budget.next(now) <= now)
            budget.spend(from: now, to: now + .milliseconds(2))
            now += .milliseconds(50)
        }
    }

    @Test func `a burst is done at once`() {
        var budget = RateBudget()
        var now = ContinuousClock.now
        for _ in 0..<10 {
            #expect(budget.next(now) <= now)
            budget.spend(from: now, to: now + .microseconds(500))
            now += .microseconds(600)
        }
    }

    @Test func `a share and a credit of one's own`() {
        var budget = RateBudget(factor: 2, least: .zero, credit: .seconds(1))
        let start = ContinuousClock.now
        var now = start
        var spent = Duration.zero
        while now - start < .seconds(60) {
            #expect(budget.next(now) <= now || spent >= .milliseconds(490))
            now = max(now, budget.next(now))
            budget.spend(from: now, to: now + .milliseconds(10))
            now += .milliseconds(10)
            spent += .milliseconds(10)
        }
        #expect(spent <= .seconds(60) / 2 + .milliseconds(510))
        #expect(!budget.isPaid(now))
        #expect(budget.isPaid(now + .seconds(2)))
    }

    @Test(arguments: [Duration.microseconds(100), .milliseconds(1), .milliseconds(30)])
    func `what never stops gets a small share`(_ work: Duration) {
        var budget = RateBudget()
        let start = ContinuousClock.now
        var now = start
        var (spent, times) = (Duration.zero, 0)
        while now - start < .seconds(60) {
            now = max(now, budget.next(now))
            budget.spend(from: now, to: now + work)
            now += work
            spent += work
            times += 1
        }
        #expect(spent <= .seconds(60) / 8 + .milliseconds(100))
        #expect(times <= 60 * 50 + 21)
        // And after a while without work it is as before.
        now += .seconds(10)
        #expect(budget.next(now) <= now)
    }
}
