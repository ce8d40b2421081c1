/// A moment in UTC, to the millisecond.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Since 1970-01-01T00:00:00Z, leap seconds left out.
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// A moment as clocks give it; what doesn't fit is the earliest or latest moment there is.
    public init(secondsSince1970 seconds: Double) {
        let rounded = (seconds * 1000).rounded(.down)
        milliseconds = rounded.isNaN ? 0 : Int64(exactly: rounded) ?? (rounded < 0 ? .min : .max)
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

extension Timestamp: LosslessStringConvertible, Codable {
    /// ISO 8601 with milliseconds: `2026-01-02T03:04:05.678Z`.
    public var description: String {
        let (seconds, fraction) = milliseconds.flooredDivision(by: 1000)
        let (days, second) = seconds.flooredDivision(by: 86_400)
        let date = CivilDate(daysSince1970: days)
        let clock = [second / 3600, second / 60 % 60, second % 60]
            .map { $0.padded(2) }.joined(separator: ":")
        return "\(date)T\(clock).\(fraction.padded(3))Z"
    }

    /// Reads `2026-01-02`, or `2026-01-02T03:04:05`, `Z` and up to three decimals allowed.
    public init?(_ text: String) {
        let whole = text.hasSuffix("Z") ? text.dropLast() : text[...]
        let halves = whole.split(separator: "T", omittingEmptySubsequences: false)
        guard (1...2).contains(halves.count), let date = CivilDate(halves[0]),
            let time = halves.count == 1 ? 0 : Self.milliseconds(ofDay: halves[1])
        else { return nil }
        milliseconds = date.daysSince1970 * 86_400_000 + time
    }

    private static func milliseconds(ofDay text: Substring) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : "0"
        guard (1...2).contains(parts.count), (1...3).contains(fraction.count),
            let clock = parts[0].numbers(separator: ":", digits: [2, 2, 2]),
            clock[0] < 24, clock[1] < 60, clock[2] < 60,
            let decimals = (fraction + String(repeating: "0", count: 3 - fraction.count))
                .numbers(separator: ".", digits: [3])
        else { return nil }
        return ((clock[0] * 60 + clock[1]) * 60 + clock[2]) * 1000 + decimals[0]
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(text)' is not a time such as \(Timestamp.example)")
        }
        self = value
    }

    /// What messages show as a time.
    private static let example = Timestamp(milliseconds: 1_767_323_045_678)

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
