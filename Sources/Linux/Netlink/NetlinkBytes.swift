/// Why bytes are not what a kernel sends over netlink.
enum NetlinkParseError: Error, Hashable, Sendable {
    /// A message's length points beyond the bytes, or into its own header.
    case truncatedMessage(offset: Int)
    /// An attribute's length points beyond the message, or into its own header.
    case truncatedAttribute(offset: Int)
    /// A value has fewer bytes than its type.
    case shortValue(length: Int)
}

/// One message: its header, and what follows it.
struct NetlinkMessage: Hashable, Sendable {
    static let headerSize = 16

    let type: UInt16
    let flags: UInt16
    let sequence: UInt32
    let payload: ArraySlice<UInt8>
}

/// The messages of what one `recv` brought; each step moves forward.
struct NetlinkMessages: Sendable {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next message; nil at the end.
    mutating func next() throws(NetlinkParseError) -> NetlinkMessage? {
        guard !rest.isEmpty else { return nil }
        let header = NetlinkMessage.headerSize
        guard rest.count >= header else { throw .truncatedMessage(offset: rest.startIndex) }
        let length = Int(try rest.number(at: 0) as UInt32)
        guard (header...rest.count).contains(length) else {
            throw .truncatedMessage(offset: rest.startIndex)
        }
        let message = NetlinkMessage(
            type: try rest.number(at: 4), flags: try rest.number(at: 6),
            sequence: try rest.number(at: 8), payload: rest.prefix(length).dropFirst(header))
        rest = rest.dropFirst((length + 3) & ~3)
        return message
    }
}

/// One attribute; its type is stripped of the flags for nesting and byte order.
struct NetlinkAttribute: Hashable, Sendable {
    static let headerSize = 4

    let type: UInt16
    let payload: ArraySlice<UInt8>
}

/// The attributes of a message, or of a nest; each step moves forward.
struct NetlinkAttributes: Sendable {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next attribute; nil at the end.
    mutating func next() throws(NetlinkParseError) -> NetlinkAttribute? {
        guard !rest.isEmpty else { return nil }
        let header = NetlinkAttribute.headerSize
        guard rest.count >= header else { throw .truncatedAttribute(offset: rest.startIndex) }
        let length = Int(try rest.number(at: 0) as UInt16)
        guard (header...rest.count).contains(length) else {
            throw .truncatedAttribute(offset: rest.startIndex)
        }
        let type: UInt16 = try rest.number(at: 2)
        let payload = rest.prefix(length).dropFirst(header)
        rest = rest.dropFirst((length + 3) & ~3)
        return NetlinkAttribute(type: type & 0x3fff, payload: payload)
    }
}

extension ArraySlice<UInt8> {
    /// A number in the host's byte order, so many bytes after the start.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int
    ) throws(NetlinkParseError) -> Number {
        guard count >= offset + MemoryLayout<Number>.size else { throw .shortValue(length: count) }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    /// The payload of the first attribute of a type.
    func attribute(_ type: Int) throws(NetlinkParseError) -> ArraySlice<UInt8>? {
        var attributes = NetlinkAttributes(self)
        while let attribute = try attributes.next() {
            if Int(attribute.type) == type { return attribute.payload }
        }
        return nil
    }

    /// Text that may end with a zero byte.
    var zeroTerminatedText: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
}
