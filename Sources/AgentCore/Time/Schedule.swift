/// Deadlines by what is to be done then, one for each task.
///
/// Times are those of the continuous clock, and come in as arguments.
public struct Schedule<Key: Hashable & Comparable & Sendable>: Sendable {
    private var deadlines: [Key: ContinuousClock.Instant] = [:]

    /// Nothing is to be done.
    public init() {}

    /// When a task is due; nil where it is not scheduled.
    public subscript(_ task: Key) -> ContinuousClock.Instant? { deadlines[task] }

    /// Schedules a task, in place of an earlier deadline of it.
    ///
    /// - Parameters:
    ///   - task: What is to be done.
    ///   - deadline: When; nil takes it off the schedule.
    public mutating func set(_ task: Key, at deadline: ContinuousClock.Instant?) {
        deadlines[task] = deadline
    }

    /// Schedules a task for a time, or leaves it where it is due before that.
    public mutating func set(_ task: Key, noLaterThan deadline: ContinuousClock.Instant) {
        deadlines[task] = min(deadlines[task] ?? deadline, deadline)
    }

    /// Takes a task off the schedule.
    public mutating func cancel(_ task: Key) { deadlines[task] = nil }

    /// Takes what is due off the schedule.
    ///
    /// - Parameters:
    ///   - now: The time now.
    ///   - held: Tasks that have to wait, and stay on the schedule.
    /// - Returns: The tasks in their order, whatever the order of their deadlines.
    public mutating func takeDue(
        _ now: ContinuousClock.Instant, except held: Set<Key> = []
    ) -> [Key] {
        let due = deadlines.filter { $0.value <= now && !held.contains($0.key) }.keys.sorted()
        for task in due { deadlines[task] = nil }
        return due
    }

    /// Looks for the earliest deadline.
    ///
    /// - Parameter held: Tasks that have to wait, and don't count.
    /// - Returns: When something is due; nil where nothing is scheduled.
    public func next(except held: Set<Key> = []) -> ContinuousClock.Instant? {
        deadlines.lazy.filter { !held.contains($0.key) }.map(\.value).min()
    }
}
