internal import NetTypes

/// A netlink attribute: its type without the flag bits, and its payload.
package struct Attribute {
    static let headerSize = 4

    package let type: UInt16
    package let payload: ArraySlice<UInt8>

    /// The payload as a number in network byte order, as nf_tables writes them.
    package var number: UInt64 { UInt64(networkBytes: payload.prefix(8)) }

    /// The payload as text, up to the first NUL.
    package var text: String { String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self) }

    package var nested: Attributes { Attributes(payload) }
}

/// Walks netlink attributes; every step moves forward or ends.
package struct Attributes: Sequence, IteratorProtocol {
    private let bytes: ArraySlice<UInt8>
    private var offset: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        offset = bytes.startIndex
    }

    /// The next attribute; nil at the end, and where the rest can't be one.
    package mutating func next() -> Attribute? {
        let left = bytes.endIndex - offset
        guard left >= Attribute.headerSize else { return nil }
        let length = Int(bytes.hostWord(at: offset))
        guard (Attribute.headerSize...left).contains(length) else { return nil }
        let payload = bytes[(offset + Attribute.headerSize)..<(offset + length)]
        let type = bytes.hostWord(at: offset + 2) & 0x3fff
        offset += Swift.min((length + 3) & ~3, left)
        return Attribute(type: type, payload: payload)
    }

    /// The first attribute of a type.
    package func first(_ type: UInt16) -> Attribute? {
        var copy = self
        while let attribute = copy.next() {
            if attribute.type == type { return attribute }
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// 16 bits in host byte order.
    func hostWord(at index: Int) -> UInt16 {
        UInt16(self[index]) | UInt16(self[index + 1]) << 8
    }

    /// 32 bits in host byte order.
    func hostLong(at index: Int) -> UInt32 {
        UInt32(hostWord(at: index)) | UInt32(hostWord(at: index + 2)) << 16
    }
}
