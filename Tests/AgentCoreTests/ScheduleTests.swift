import AgentCore
import Testing

@Suite struct ScheduleTests {
    private enum Chore: Int, Comparable {
        case first, second, third

        static func < (left: Chore, right: Chore) -> Bool { left.rawValue < right.rawValue }
    }

    private let start = ContinuousClock.now

    @Test func `what is due comes in the order of tasks, and once`() {
        var schedule = Schedule<Chore>()
        schedule.set(.third, at: start)
        schedule.set(.first, at: start + .seconds(1))
        schedule.set(.second, at: start + .seconds(3))
        let early = schedule.takeDue(start - .seconds(1))
        #expect(early == [])
        let due = schedule.takeDue(start + .seconds(2))
        #expect(due == [.first, .third])
        let again = schedule.takeDue(start + .seconds(2))
        #expect(again == [])
        #expect(schedule.next() == start + .seconds(3))
    }

    @Test func `a deadline is set again, or only brought forward`() {
        var schedule = Schedule<Chore>()
        schedule.set(.first, noLaterThan: start + .seconds(2))
        schedule.set(.first, noLaterThan: start + .seconds(5))
        #expect(schedule[.first] == start + .seconds(2))
        schedule.set(.first, noLaterThan: start + .seconds(1))
        #expect(schedule.next() == start + .seconds(1))
        schedule.set(.first, at: start + .seconds(9))
        #expect(schedule[.first] == start + .seconds(9))
        schedule.cancel(.first)
        #expect(schedule.next() == nil)
    }

    @Test func `a task that has to wait stays and does not count`() {
        var schedule = Schedule<Chore>()
        schedule.set(.first, at: start)
        schedule.set(.second, at: start + .seconds(1))
        let due = schedule.takeDue(start + .seconds(1), except: [.first])
        #expect(due == [.second])
        #expect(schedule.next(except: [.first]) == nil)
        #expect(schedule.next() == start)
    }
}
