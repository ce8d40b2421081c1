import Glibc
import Linux
import NetTypes

/// Sends back whatever comes: a listener, or one connection of it.
final class Server {
    enum Kind {
        case listener
        case connection
        case datagrams
    }

    let socket: InternetSocket
    private let kind: Kind
    /// Whether the other end is gone.
    private(set) var isDone = false

    /// Listens in the calling thread's namespace; nil where another program does already.
    init?(_ listener: LabListener, at address: IPAddress) throws(SystemError) {
        let socket = try InternetSocket(listener.ipProtocol, address.family)
        do throws(SystemError) {
            try socket.bind(to: SocketAddress(address, port: listener.port))
            if listener.ipProtocol == .tcp { try socket.listen() }
        } catch {
            if error.code == EADDRINUSE { return nil }
            throw error
        }
        self.socket = socket
        kind = listener.ipProtocol == .tcp ? .listener : .datagrams
    }

    private init(connection: consuming InternetSocket) {
        socket = connection
        kind = .connection
    }

    /// Does what is to be done now, and answers the new connections.
    func serve() -> [Server] {
        var connections: [Server] = []
        do throws(SystemError) {
            switch kind {
            case .listener:
                while let next = try socket.accept() {
                    connections.append(Server(connection: next))
                }
            case .datagrams:
                while let (bytes, sender) = try socket.receiveFrom() {
                    _ = try socket.send(bytes, to: sender)
                }
            case .connection:
                while let bytes = try socket.receive() {
                    if bytes.isEmpty {
                        isDone = true
                        break
                    }
                    _ = try socket.send(bytes)
                }
            }
        } catch {
            // An answer that a filter stops is the other end's finding, not this one's.
            isDone = kind == .connection
        }
        return connections
    }
}
