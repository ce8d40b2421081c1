/// The answer to one request, as far as it has come; bytes in, values out.
struct NetlinkAnswer<Value> {
    /// Reads a message's type and payload; nil for one that is of no interest.
    typealias Parse = (UInt16, ArraySlice<UInt8>) throws(NetlinkParseError) -> Value?

    private(set) var values: [Value] = []
    /// Whether a change cut through the dump, so that the values don't fit each other.
    private(set) var wasInterrupted = false
    private(set) var isComplete = false
    private(set) var refusal: (code: CInt, text: String?)?
    private let sequence: UInt32
    private let parse: Parse

    init(to sequence: UInt32, parse: @escaping Parse) {
        self.sequence = sequence
        self.parse = parse
    }

    /// Takes what one `recv` brought.
    mutating func append(_ bytes: [UInt8]) throws(NetlinkParseError) {
        var messages = NetlinkMessages(bytes[...])
        while let message = try messages.next() {
            // Another number is left over from a request that failed half way.
            if message.sequence == sequence, !isComplete { try take(NetlinkReply(message)) }
        }
    }

    private mutating func take(_ reply: NetlinkReply) throws(NetlinkParseError) {
        switch reply {
        case .object(let type, let payload, let interrupted):
            wasInterrupted = wasInterrupted || interrupted
            if let value = try parse(type, payload) { values.append(value) }
        case .done(let interrupted):
            wasInterrupted = wasInterrupted || interrupted
            isComplete = true
        case .refused(let code, let text):
            refusal = (code, text)
            isComplete = true
        }
    }
}
