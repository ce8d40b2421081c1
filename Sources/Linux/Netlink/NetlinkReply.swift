private import CLinux
private import Glibc

/// What a message says about the request that it answers.
enum NetlinkReply: Hashable, Sendable {
    /// An object of a dump, or of a single answer.
    case object(type: UInt16, payload: ArraySlice<UInt8>, interrupted: Bool)
    /// Nothing follows.
    case done(interrupted: Bool)
    /// The kernel refused, with an `errno` value and its own words if it has any.
    case refused(code: CInt, text: String?)

    init(_ message: NetlinkMessage) throws(NetlinkParseError) {
        let interrupted = CInt(message.flags) & NLM_F_DUMP_INTR != 0
        switch CInt(message.type) {
        case NLMSG_ERROR, NLMSG_DONE:
            // The end of a dump may come without a code.
            let code: Int32 = message.payload.isEmpty ? 0 : try message.payload.number(at: 0)
            guard code < 0 else {
                self = .done(interrupted: interrupted)
                return
            }
            self = .refused(code: -max(code, -4095), text: Self.text(of: message))
        default:
            self = .object(
                type: message.type, payload: message.payload, interrupted: interrupted)
        }
    }

    /// The words of the extended acknowledgement; a broken one never hides the code.
    private static func text(of message: NetlinkMessage) -> String? {
        guard CInt(message.flags) & NLM_F_ACK_TLVS != 0 else { return nil }
        let code = 4
        let headers = message.type == UInt16(NLMSG_ERROR) ? NetlinkMessage.headerSize : 0
        var attributes = NetlinkAttributes(message.payload.dropFirst(code + headers))
        while let attribute = try? attributes.next() {
            if attribute.type == UInt16(NLMSGERR_ATTR_MSG.rawValue) {
                return attribute.payload.zeroTerminatedText
            }
        }
        return nil
    }
}
