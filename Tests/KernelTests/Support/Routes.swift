import Linux
import NetTypes
import Synchronization

/// Changes the addresses of a namespace, a system call each.
final class Routes: Sendable {
    private let socket: Mutex<Box>

    private struct Box: ~Copyable, Sendable { var socket: RouteSocket }

    fileprivate init() throws(SystemError) { socket = Mutex(Box(socket: try RouteSocket())) }

    /// Gives the link `eth0`, or another, an address.
    func add(_ address: IPAddress, _ length: Int, index: Int32 = 2) throws {
        try socket.withLock { (box) throws(SystemError) in
            try box.socket.addAddress(address, prefixLength: length, index: index)
        }
    }

    func remove(_ address: IPAddress, _ length: Int, index: Int32 = 2) throws {
        try socket.withLock { (box) throws(SystemError) in
            try box.socket.removeAddress(address, prefixLength: length, index: index)
        }
    }
}

extension Rig {
    func routes(of name: String) throws -> Routes {
        try namespace(name).run { () throws(SystemError) in try Routes() }
    }
}
