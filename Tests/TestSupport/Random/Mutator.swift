/// Makes bytes that are nearly right out of bytes that are.
public struct Mutator {
    private var chance: SeededGenerator
    public private(set) var seeds: [[UInt8]]

    /// What lengths, counts and ends of text tend to be confused by.
    private static let oddBytes: [UInt8] = [
        0, 1, 0x0a, 0x20, 0x22, 0x3a, 0x7b, 0x7f, 0x80, 0xc0, 0xff,
    ]

    public init(_ seeds: [[UInt8]], seed: UInt64) {
        self.seeds = seeds
        chance = SeededGenerator(seed: seed)
    }

    /// Takes a seed in that was worth it.
    public mutating func add(_ seed: [UInt8]) { seeds.append(seed) }

    /// One of the seeds, changed in some places, cut, doubled, or joined with another.
    public mutating func next() -> [UInt8] {
        var bytes = seeds.randomElement(using: &chance) ?? []
        for _ in 0..<Int.random(in: 0...6, using: &chance) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes.append(.random(in: 0...255, using: &chance)) }
        let place = Int.random(in: 0..<bytes.count, using: &chance)
        let end = min(bytes.count, place + Int.random(in: 1...16, using: &chance))
        switch Int.random(in: 0..<7, using: &chance) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
        case 1: bytes[place] = Self.oddBytes.randomElement(using: &chance) ?? 0
        case 2: bytes[place] &+= .random(in: 0...255, using: &chance)
        case 3: bytes.removeSubrange(place..<end)
        case 4: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 5: bytes.removeSubrange(place...)
        default:
            let other = seeds.randomElement(using: &chance) ?? []
            bytes = bytes[..<place] + other.suffix(other.count / 2)
        }
    }
}
