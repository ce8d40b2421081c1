/// A network such as 10.0.0.0/8 or fd00::/8; no bit is set beyond its length.
public struct Prefix: Hashable, Sendable {
    /// The lowest address of the network.
    public let address: IPAddress
    /// How many leading bits are fixed: 0 to 32 or 0 to 128.
    public let length: Int

    /// Why text is not a prefix.
    public enum ParseError: Error, Hashable, Sendable {
        case notAnAddress(String)
        case badLength(String, greatest: Int)
        case hostBitsSet(instead: Prefix)
    }

    /// Reads `ADDRESS/LENGTH`, or an address alone as a network of one.
    public init(parsing text: String) throws(ParseError) {
        let slash = text.utf8.firstIndex(of: UInt8(ascii: "/"))
        let written = text[..<(slash ?? text.endIndex)]
        guard let address = IPAddress(written) else { throw .notAnAddress(String(written)) }
        let greatest = address.family == .v4 ? 32 : 128
        let digits = slash.map { text[text.utf8.index(after: $0)...] }
        let length = digits.map { Int($0) ?? -1 } ?? greatest
        if let digits, !(0...greatest).contains(length) || String(length) != digits {
            throw .badLength(String(digits), greatest: greatest)
        }
        let prefix = Prefix(containing: address, length: length)
        guard prefix.address == address else { throw .hostBitsSet(instead: prefix) }
        self = prefix
    }

    /// The network of that length around an address; a length beyond the family's is cut to it.
    public init(containing address: IPAddress, length: Int) {
        switch address {
        case .v4(let number):
            self.length = min(max(length, 0), 32)
            self.address = .v4(number & ~Self.hostMask(of: self.length))
        case .v6(let number):
            self.length = min(max(length, 0), 128)
            self.address = .v6(number & ~Self.hostMask(of: self.length))
        }
    }

    /// The whole family: 0.0.0.0/0 or ::/0.
    public static func all(_ family: AddressFamily) -> Prefix {
        Prefix(containing: family == .v4 ? .v4(0) : .v6(0), length: 0)
    }

    /// Whether the address lies in the network; never across families.
    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && Prefix(containing: other, length: length) == self
    }

    /// Whether it lies inside 127.0.0.0/8 (RFC 1122) or is ::1 (RFC 4291).
    public var isLoopback: Bool {
        switch address {
        case .v4: address.isLoopback && length >= 8
        case .v6: address.isLoopback && length == 128
        }
    }

    /// The IPv4 network that a part of ::ffff:0.0.0.0/96 stands for (RFC 4291, 2.5.5.2); nil for any
    /// other network.
    public var mappedIPv4: Prefix? {
        guard case .v6(let number) = address, length >= 96, number >> 32 == 0xffff else {
            return nil
        }
        return Prefix(containing: .v4(UInt32(truncatingIfNeeded: number)), length: length - 96)
    }

    /// The network's addresses as one set.
    public var addresses: AddressSet {
        switch address {
        case .v4(let first): AddressSet(v4: first...(first | Self.hostMask(of: length)))
        case .v6(let first): AddressSet(v6: first...(first | Self.hostMask(of: length)))
        }
    }

    private static func hostMask<Number: FixedWidthInteger & UnsignedInteger>(
        of length: Int
    ) -> Number {
        length == 0 ? .max : length >= Number.bitWidth ? 0 : Number.max >> Number(length)
    }
}

extension Prefix: CustomStringConvertible {
    public var description: String { "\(address)/\(length)" }
}
