private import CLinux

/// One request under construction.
struct NetlinkRequest: Sendable {
    /// The message's name, for errors.
    let name: String
    /// What it is about, for errors.
    var subject: String?
    private let type: UInt16
    private let flags: UInt16
    private var body: [UInt8] = []

    init(_ name: String, type: Int, flags: CInt, subject: String? = nil) {
        self.name = name
        self.subject = subject
        self.type = UInt16(type)
        self.flags = UInt16(flags | NLM_F_REQUEST)
    }

    mutating func append(zeros count: Int) {
        body.append(contentsOf: repeatElement(0, count: count))
    }

    /// Appends a part of the family's own header, in the host's byte order.
    mutating func append(field number: some FixedWidthInteger) {
        body.append(contentsOf: number.hostBytes)
    }

    mutating func append(_ attribute: Int, bytes: some Collection<UInt8>) {
        append(field: UInt16(NetlinkAttribute.headerSize + bytes.count))
        append(field: UInt16(attribute))
        body.append(contentsOf: bytes)
        append(zeros: -bytes.count & 3)
    }

    mutating func append(_ attribute: Int, _ number: some FixedWidthInteger) {
        append(attribute, bytes: number.hostBytes)
    }

    mutating func append(_ attribute: Int, _ text: String) {
        append(attribute, bytes: text.utf8 + [0])
    }

    /// Appends an attribute that holds what the closure appends.
    mutating func append(nest attribute: Int, _ content: (inout NetlinkRequest) -> Void) {
        let start = body.count
        append(field: UInt16(0))
        append(field: UInt16(attribute))
        content(&self)
        body.replaceSubrange(start..<start + 2, with: UInt16(body.count - start).hostBytes)
    }

    /// The message on the wire.
    func bytes(sequence: UInt32) -> [UInt8] {
        UInt32(NetlinkMessage.headerSize + body.count).hostBytes + type.hostBytes
            + flags.hostBytes + sequence.hostBytes + UInt32(0).hostBytes + body
    }
}

extension FixedWidthInteger {
    fileprivate var hostBytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}
