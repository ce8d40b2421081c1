/// A netlink message as received.
package struct Message {
    package let type: UInt16
    let flags: UInt16
    let sequence: UInt32
    package let payload: ArraySlice<UInt8>

    static let headerSize = 16

    /// The message of an nf_tables type; nil for another subsystem's.
    var nfTablesType: UInt16? { type >> 8 == Message.nfTables ? type & 0xff : nil }

    /// The attributes behind the four bytes of `struct nfgenmsg`.
    package var attributes: Attributes { Attributes(payload.dropFirst(4)) }

    /// NFNL_SUBSYS_NFTABLES and NFNL_SUBSYS_ULOG of linux/netfilter/nfnetlink.h.
    static let nfTables: UInt16 = 10
    static let packetLog: UInt16 = 4

    /// Cuts a datagram into messages; what is left over and can't be one is dropped.
    static func all(in datagram: ArraySlice<UInt8>) -> [Message] {
        var messages: [Message] = []
        var offset = datagram.startIndex
        while datagram.endIndex - offset >= headerSize {
            let length = Int(datagram.hostLong(at: offset))
            guard (headerSize...(datagram.endIndex - offset)).contains(length) else { break }
            messages.append(
                Message(
                    type: datagram.hostWord(at: offset + 4),
                    flags: datagram.hostWord(at: offset + 6),
                    sequence: datagram.hostLong(at: offset + 8),
                    payload: datagram[(offset + headerSize)..<(offset + length)]))
            offset += min((length + 3) & ~3, datagram.endIndex - offset)
        }
        return messages
    }
}

/// What NLMSG_ERROR says: success, or an errno and perhaps the kernel's own words.
struct Acknowledgement {
    /// 0 is success.
    let code: CInt
    let text: String?

    /// NETLINK_CAP_ACK keeps the refused message's payload out, so attributes follow its header.
    init?(_ message: Message) {
        guard message.type == 2, message.payload.count >= 4 else { return nil }
        // What has no negative stays, and is no success either.
        code =
            0 &- CInt(bitPattern: message.payload.hostLong(at: message.payload.startIndex))
        let hasText = message.flags & Self.hasAttributes != 0
        let attributes = Attributes(message.payload.dropFirst(4 + Message.headerSize))
        text = hasText ? attributes.first(Self.messageAttribute)?.text : nil
    }

    /// NLM_F_ACK_TLVS and NLMSGERR_ATTR_MSG of linux/netlink.h.
    private static let hasAttributes: UInt16 = 0x200
    private static let messageAttribute: UInt16 = 1
}
