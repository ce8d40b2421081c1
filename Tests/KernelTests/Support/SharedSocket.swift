import Linux
import NetTypes

/// A socket that threads can hand on.
final class SharedSocket: Sendable {
    let socket: InternetSocket

    /// Makes it in the calling thread's namespace.
    init(
        _ ipProtocol: IPProtocol, _ family: AddressFamily,
        _ prepare: (borrowing InternetSocket) throws(SystemError) -> Void
    ) throws(SystemError) {
        let socket = try InternetSocket(ipProtocol, family)
        try prepare(socket)
        self.socket = socket
    }
}
