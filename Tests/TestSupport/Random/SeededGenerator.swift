/// Random numbers that a seed repeats; the algorithm is SplitMix64.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// True once in so many calls.
    public mutating func once(in calls: Int) -> Bool { next() % UInt64(calls) == 0 }

    /// A number of the range.
    public mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    /// One of the choices; there must be one.
    public mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[Int(next() % UInt64(choices.count))]
    }

    /// Some of the choices, each at most once, in their order.
    public mutating func some<Choice>(of choices: [Choice], _ count: ClosedRange<Int>) -> [Choice] {
        let wanted = min(number(count), choices.count)
        return choices.indices.shuffled(using: &self).prefix(wanted).sorted().map { choices[$0] }
    }

    /// As many things as a number of the range says.
    public mutating func list<Thing>(
        _ count: ClosedRange<Int>, _ thing: (inout SeededGenerator) -> Thing
    ) -> [Thing] {
        let wanted = number(count)
        return (0..<wanted).map { _ in thing(&self) }
    }
}
