internal import CNetfilter
internal import Glibc
internal import Linux

/// A netlink attribute where the kernel put it; valid as long as the buffer is.
struct WalkedAttribute {
    let type: UInt16
    let payload: UnsafeRawBufferPointer

    /// What is in it, if it has others.
    var nested: WalkedAttributes { WalkedAttributes(payload) }

    /// The payload as 64 bits in network byte order; nil if it has another length.
    var number: UInt64? {
        payload.count == 8 ? UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self)) : nil
    }
}

/// Walks attributes without copying: dumps of a large host have a million of them.
///
/// Every step moves forward or ends, as in `Attributes`.
struct WalkedAttributes: Sequence, IteratorProtocol {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func next() -> WalkedAttribute? {
        guard rest.count >= Attribute.headerSize else { return nil }
        let length = Int(rest.loadUnaligned(as: UInt16.self))
        guard (Attribute.headerSize...rest.count).contains(length) else { return nil }
        let type = rest.loadUnaligned(fromByteOffset: 2, as: UInt16.self) & 0x3fff
        let payload = UnsafeRawBufferPointer(rebasing: rest[Attribute.headerSize..<length])
        rest = UnsafeRawBufferPointer(
            rebasing: rest[Swift.min((length + 3) & ~3, rest.count)...])
        return WalkedAttribute(type: type, payload: payload)
    }

    /// The first attribute of a type.
    func first(_ type: UInt32) -> WalkedAttribute? {
        var copy = self
        while let attribute = copy.next() {
            if attribute.type == type { return attribute }
        }
        return nil
    }
}

extension NetfilterSocket {
    /// How a dump came to its end.
    enum WalkEnd {
        case complete
        /// Something in the namespace's rulesets changed: what was handed over may be worth nothing.
        case interrupted
        /// The kernel gave up: ask again.
        case cutOff
    }

    /// Asks one question of nf_tables, and hands over the attributes of each message as they are.
    func walk(
        _ type: nf_tables_msg_types, build: (UnsafeMutablePointer<nlmsghdr>) -> Void,
        _ body: (WalkedAttributes) -> Void
    ) throws(NftablesError) -> WalkEnd {
        try ask(.tables(type), flags: NLM_F_DUMP, build)
        do throws(SystemError) {
            return try withUnsafeTemporaryAllocation(byteCount: Self.roomy, alignment: 8) {
                buffer throws(SystemError) in
                try walkAnswer(into: UnsafeMutableRawBufferPointer(buffer), body)
            }
        } catch {
            throw .socket(error)
        }
    }

    /// The kernel fills up to 32 KiB at a time for a reader that shows it so much room.
    private static let roomy = 1 << 16

    private func walkAnswer(
        into buffer: UnsafeMutableRawBufferPointer, _ body: (WalkedAttributes) -> Void
    ) throws(SystemError) -> WalkEnd {
        var isInterrupted = false
        while true {
            let size = try datagram(into: buffer)
            var rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<size])
            while rest.count >= Message.headerSize {
                let length = Int(rest.loadUnaligned(as: UInt32.self))
                guard (Message.headerSize...rest.count).contains(length) else { break }
                let message = UnsafeRawBufferPointer(rebasing: rest[..<length])
                rest = UnsafeRawBufferPointer(
                    rebasing: rest[min((length + 3) & ~3, rest.count)...])
                guard message.loadUnaligned(fromByteOffset: 8, as: UInt32.self) == Self.question
                else { continue }
                let flags = message.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
                isInterrupted = isInterrupted || flags & Self.interrupted != 0
                switch message.loadUnaligned(fromByteOffset: 4, as: UInt16.self) {
                case Self.done: return isInterrupted ? .interrupted : .complete
                case Self.error: return try Self.end(message, isInterrupted)
                default:
                    // Four bytes of `struct nfgenmsg` come before the attributes.
                    let start = Message.headerSize + 4
                    guard message.count >= start else { continue }
                    body(WalkedAttributes(UnsafeRawBufferPointer(rebasing: message[start...])))
                }
            }
        }
    }

    private func datagram(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        let flags = CInt(MSG_TRUNC | MSG_DONTWAIT)
        while true {
            let size = receiveFromKernel(rawValue, buffer.baseAddress, buffer.count, flags: flags)
            if size > 0, size <= buffer.count { return size }
            let code = size < 0 ? errno : EMSGSIZE
            if code == EINTR { continue }
            guard code == EAGAIN else {
                throw SystemError("recv", on: "NETLINK_NETFILTER", code: code)
            }
            guard try wait(milliseconds: 1000) else {
                throw SystemError("recv", on: "NETLINK_NETFILTER", code: ETIMEDOUT)
            }
        }
    }

    /// What an error message means: a set or a table that isn't there has nothing in it.
    private static func end(
        _ message: UnsafeRawBufferPointer, _ isInterrupted: Bool
    ) throws(SystemError) -> WalkEnd {
        guard message.count >= Message.headerSize + 4 else { return .cutOff }
        let code = 0 &- message.loadUnaligned(fromByteOffset: Message.headerSize, as: Int32.self)
        switch code {
        case 0, ENOENT: return isInterrupted ? .interrupted : .complete
        case EINTR: return .cutOff
        default: throw SystemError("nf_tables", on: "dump", code: code)
        }
    }

    private static let error: UInt16 = 2
}
