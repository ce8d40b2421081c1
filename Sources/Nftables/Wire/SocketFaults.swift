/// Errors in place of the kernel's answer, so that a test sees what becomes of each.
public protocol SocketFaults: Sendable {
    /// The `errno` value that the call fails with; nil lets it through.
    func error(at call: SocketCall) -> CInt?
}

/// A call on a netlink socket that may fail.
public enum SocketCall: Hashable, Sendable, CaseIterable {
    case send
    case receive
}
