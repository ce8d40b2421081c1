/// What leads a counter in the kernel back to a line in a file.
///
/// It is a hash of the policy's name and of what the rule says, so that the same rule keeps it
/// when its file is reordered, reread by another process, or moved.
public struct RuleID: RawRepresentable, Hashable, Sendable, Comparable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads the 16 hexadecimal digits of `description`.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 16, text.utf8.allSatisfy(\.isHexDigit),
            let number = UInt64(text, radix: 16)
        else { return nil }
        rawValue = number
    }

    public static func < (left: RuleID, right: RuleID) -> Bool { left.rawValue < right.rawValue }
}

extension RuleID: CustomStringConvertible, Codable {
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = RuleID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a rule id has 16 hexadecimal digits")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The identity of a network namespace: the device and inode of its `nsfs` file.
///
/// The kernel keeps the inode as long as the namespace lives, whatever names it has.
public struct NamespaceID: Hashable, Sendable, Comparable, Codable {
    public let device: UInt64
    public let inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    public static func < (left: NamespaceID, right: NamespaceID) -> Bool {
        (left.device, left.inode) < (right.device, right.inode)
    }
}

extension NamespaceID: CustomStringConvertible {
    /// The form that `readlink /proc/PID/ns/net` shows.
    public var description: String { "net:[\(inode)]" }
}

/// Which way a flow went, seen from one endpoint.
public enum Direction: String, Hashable, Sendable, CaseIterable, Codable {
    /// The endpoint was the one that was called.
    case ingress
    /// The endpoint was the one that called.
    case egress

    public var reversed: Direction { self == .ingress ? .egress : .ingress }
}
