/// Where a syslog server listens.
public enum SyslogAddress: Hashable, Sendable {
    /// A datagram socket of this machine: usually `/dev/log`.
    case unix(path: String)
    /// RFC 5426.
    case udp(host: String, port: UInt16)
    /// RFC 6587, each message with its length before it.
    case tcp(host: String, port: UInt16)

    /// Reads `unix:/dev/log`, `udp:HOST:PORT` or `tcp:HOST:PORT`; an IPv6 address stands in brackets.
    public init?(parsing text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let rest = text[text.index(after: colon)...]
        switch text[..<colon] {
        case "unix":
            // `sun_path` holds 108 bytes, the last of them 0.
            guard rest.hasPrefix("/"), rest.utf8.count < 108 else { return nil }
            self = .unix(path: String(rest))
        case "udp":
            guard let (host, port) = Self.hostAndPort(rest) else { return nil }
            self = .udp(host: host, port: port)
        case "tcp":
            guard let (host, port) = Self.hostAndPort(rest) else { return nil }
            self = .tcp(host: host, port: port)
        default: return nil
        }
    }

    private static func hostAndPort(_ text: Substring) -> (String, UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), port > 0, String(port) == digits else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        return host.isEmpty ? nil : (String(host), port)
    }
}

extension SyslogAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .udp(let host, let port): "udp:\(Self.bracketed(host)):\(port)"
        case .tcp(let host, let port): "tcp:\(Self.bracketed(host)):\(port)"
        }
    }

    private static func bracketed(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }
}

/// What part of a system a message comes from: RFC 5424, 6.2.1.
public enum SyslogFacility: String, Hashable, Sendable, CaseIterable {
    case user
    case daemon
    case auth
    case authpriv
    case local0
    case local1
    case local2
    case local3
    case local4
    case local5
    case local6
    case local7

    var number: Int {
        switch self {
        case .user: 1
        case .daemon: 3
        case .auth: 4
        case .authpriv: 10
        case .local0: 16
        case .local1: 17
        case .local2: 18
        case .local3: 19
        case .local4: 20
        case .local5: 21
        case .local6: 22
        case .local7: 23
        }
    }
}
