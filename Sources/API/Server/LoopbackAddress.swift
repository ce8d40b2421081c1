public import NetTypes

/// Where the API may be reached over TCP: a port of this machine's loopback interface.
public struct LoopbackAddress: Hashable, Sendable {
    public let address: IPAddress
    public let port: UInt16

    /// Reads `127.0.0.1:9464` or `[::1]:9464`; nil for anything else.
    public init?(parsing text: String) {
        guard let colon = text.lastIndex(of: ":"), let host = IPAddress(host: text[..<colon]),
            host.isLoopback, let port = UInt16(text[text.index(after: colon)...]), port > 0,
            String(port) == text[text.index(after: colon)...]
        else { return nil }
        address = host
        self.port = port
    }

    /// Whether a request's `Host` names this machine by an address of its loopback interface.
    ///
    /// A page of somebody else's can make a browser call a name of its own that leads to
    /// 127.0.0.1, and would then be allowed to read the answer: the name gives it away.
    static func isNamed(by authority: String) -> Bool {
        var host = authority[...]
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]"),
            host[host.index(after: colon)...].utf8.allSatisfy({ (48...57).contains($0) })
        {
            host = host[..<colon]
        }
        return host.lowercased() == "localhost" || IPAddress(host: host)?.isLoopback == true
    }
}

extension LoopbackAddress: CustomStringConvertible {
    public var description: String {
        address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

extension IPAddress {
    /// An address as URLs have it: those of IPv6 in brackets.
    fileprivate init?(host: Substring) {
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard let address = IPAddress(String(isBracketed ? host.dropFirst().dropLast() : host)),
            (address.family == .v6) == isBracketed
        else { return nil }
        self = address
    }
}
