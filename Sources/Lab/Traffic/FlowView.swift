public import Linux
import NetTypes

/// The two addresses of a connection, as one end sees them.
public struct FlowView: Hashable, Sendable {
    public let own: SocketAddress
    public let other: SocketAddress
}

/// Opens one TCP connection and tells what each end sees of it, which under address translation is
/// not the same.
///
/// The listener takes any address of its namespace. `ETIMEDOUT` when the two don't meet within the
/// patience.
public func viewsOfConnection(
    from source: borrowing NetworkNamespace, calling target: SocketAddress,
    to destination: borrowing NetworkNamespace, listeningAt port: UInt16,
    patience: Duration = .seconds(2)
) throws(SystemError) -> (client: FlowView, server: FlowView) {
    let any: IPAddress = target.address.family == .v4 ? .v4(0) : .v6(0)
    let listener = try destination.run { () throws(SystemError) in
        let socket = try InternetSocket(.tcp, any.family)
        try socket.bind(to: SocketAddress(any, port: port))
        try socket.listen()
        return socket
    }
    let client = try source.run { () throws(SystemError) in
        let socket = try InternetSocket(.tcp, target.address.family)
        try socket.connect(to: target)
        return socket
    }
    let poller = try Poller()
    try poller.add(listener.descriptor.rawValue, token: 1)
    let end = ContinuousClock.now + patience
    while ContinuousClock.now < end {
        _ = try poller.wait(milliseconds: 20)
        guard let server = try listener.accept() else { continue }
        return (try client.view(), try server.view())
    }
    throw SystemError("connect", on: target.description, code: 110)
}

extension InternetSocket {
    fileprivate borrowing func view() throws(SystemError) -> FlowView {
        FlowView(own: try localAddress(), other: try remoteAddress())
    }
}
