import Foundation

/// How long the machine itself takes over work that takes a millisecond while it is busy, when it
/// comes after a rest.
///
/// A change of policy comes after a rest as well: what the processor has lost by then (its caches, its
/// clock, its place on a shared host) is in every time that is measured, and no program can do anything
/// about it. The ratio to this is the agent's own.
struct Yardstick {
    /// Four mebibytes, read in an order that no processor foresees.
    private let field: [UInt32]
    private let steps: Int

    init() {
        let size: UInt32 = 1 << 20
        let field = (0..<size).map { $0 &* 2_654_435_761 % size }
        self.field = field
        let trial = 100_000
        let clock = ContinuousClock()
        // Once to warm up.
        _ = Self.walk(field, trial)
        let taken = clock.measure { _ = Self.walk(field, trial) }
        steps = Int(Double(trial) * (Duration.milliseconds(1) / taken))
    }

    /// As many pauses, each as long as between two changes, and the work after each.
    func measure(runs: Int) -> Times {
        var times = Times()
        let clock = ContinuousClock()
        for _ in 0..<runs {
            Thread.sleep(forTimeInterval: 0.36)
            times.add(clock.measure { _ = Self.walk(field, steps) })
        }
        return times
    }

    @inline(never)
    private static func walk(_ field: [UInt32], _ steps: Int) -> UInt32 {
        var place: UInt32 = 1
        for step in 0..<steps {
            place = (field[Int(place)] ^ UInt32(truncatingIfNeeded: step)) % UInt32(field.count)
        }
        return place
    }
}
