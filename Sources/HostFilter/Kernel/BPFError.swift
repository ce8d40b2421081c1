public import HostRules
public import Linux

/// The kernel, or libbpf before it, refused something.
public struct BPFError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, and with what.
    public let operation: String
    /// A positive errno.
    public let code: CInt
    /// What libbpf or the verifier said.
    public let messages: String
    /// The entries that maps would have to hold; nil where it isn't for want of room.
    public let need: Capacity?

    init(_ operation: String, code: CInt, messages: String = "", need: Capacity? = nil) {
        self.operation = operation
        self.code = code
        self.messages = messages
        self.need = need
    }

    /// A system call around the host filter that failed.
    public init(_ error: SystemError) {
        self.init(error.operation, code: error.code)
    }

    public var description: String {
        let said = messages.isEmpty ? "" : "\n" + messages
        return SystemError(operation, code: code).description + said
    }
}

/// Calls libbpf, which answers -errno; throws where it refuses.
@discardableResult
func checkBPF(
    _ operation: @autoclosure () -> String, _ call: () -> CInt
) throws(BPFError) -> CInt {
    let answer = call()
    if answer < 0 { throw BPFError(operation(), code: -answer) }
    return answer
}
