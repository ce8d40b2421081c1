/// What became of numbered packets.
public struct TrafficReport: Hashable, Sendable {
    /// A point of the machine's monotonic clock, in nanoseconds; `TrafficReport.now` compares.
    public typealias Instant = UInt64

    /// When each packet went out, by its number.
    public let sent: [Instant]
    /// The packets that the sender's own kernel refused, by number.
    public let refused: Set<Int>
    /// When each packet came in for the first time, by number.
    public let received: [Int: Instant]
    /// When each packet's answer came back for the first time, by number.
    public let answered: [Int: Instant]
    /// How many packets came in more than once.
    public let duplicates: Int

    /// Consecutive packets that never came in.
    public struct Gap: Hashable, Sendable {
        public let numbers: ClosedRange<Int>
        /// When the first and the last of them went out.
        public let sent: ClosedRange<Instant>
    }

    /// The runs of packets that never came in.
    public var gaps: [Gap] {
        var gaps: [Gap] = []
        var first: Int?
        for number in 0...sent.count {
            let isMissing = number < sent.count && received[number] == nil
            if isMissing {
                first = first ?? number
            } else if let start = first {
                gaps.append(
                    Gap(numbers: start...number - 1, sent: sent[start]...sent[number - 1]))
                first = nil
            }
        }
        return gaps
    }

    /// The packets that came in although they went out after the moment: what a leak test forbids.
    public func received(sentAfter moment: Instant) -> [Int] {
        received.keys.filter { sent.indices.contains($0) && sent[$0] > moment }.sorted()
    }

    /// The packets that went out in the span and never came in: what a gap test forbids.
    public func lost(sentIn span: ClosedRange<Instant>) -> [Int] {
        sent.indices.filter { span.contains(sent[$0]) && received[$0] == nil }
    }

    /// The packets that came in at or after the moment.
    public func received(since moment: Instant) -> [Int] {
        received.filter { $0.value >= moment }.keys.sorted()
    }
}

extension TrafficReport: CustomStringConvertible {
    public var description: String {
        let holes = gaps.map { gap in
            let time = Double(gap.sent.upperBound - gap.sent.lowerBound) / 1e6
            return "\(gap.numbers.lowerBound)-\(gap.numbers.upperBound) (\(time) ms)"
        }
        return "sent \(sent.count), refused \(refused.count), received \(received.count), "
            + "answered \(answered.count), gaps: \(holes.joined(separator: ", "))"
    }
}
