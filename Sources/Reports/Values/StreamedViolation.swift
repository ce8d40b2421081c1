/// One line of a stream of violations.
public enum StreamedViolation: Hashable, Sendable {
    case violation(Violation)
    /// So many violations came faster than the reader took them, and are not in the stream.
    case lost(UInt64)
}

extension StreamedViolation: Codable {
    private enum CodingKeys: String, CodingKey {
        case lost
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let lost = try container.decodeIfPresent(UInt64.self, forKey: .lost) {
            self = .lost(lost)
        } else {
            self = .violation(try Violation(from: decoder))
        }
    }

    /// A violation as it is, or `{"lost":3}`.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .violation(let violation): try violation.encode(to: encoder)
        case .lost(let count):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(count, forKey: .lost)
        }
    }
}
