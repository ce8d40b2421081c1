internal import Glibc
internal import Linux

/// Messages to a syslog server.
final class SyslogSocket: SinkWriter {
    private let address: SyslogAddress
    private let facility: SyslogFacility
    private let host = SyslogMessage.hostName()
    private var socket: Descriptor?

    /// How long the other end may keep the thread waiting.
    private static let patience = timeval(tv_sec: 5, tv_usec: 0)

    init(_ address: SyslogAddress, _ facility: SyslogFacility) {
        self.address = address
        self.facility = facility
    }

    func write(_ record: SinkRecord, line: [UInt8]) throws(SystemError) {
        let message = SyslogMessage(record, line: line, facility: facility, host: host)
        let descriptor = try connected()
        if case .tcp = address {
            try send(message.counted, to: descriptor)
        } else {
            try send(message.bytes, to: descriptor)
        }
    }

    func close() { socket = nil }

    /// A stream may take a part; whoever is called again after an error has closed it.
    private func send(_ bytes: [UInt8], to descriptor: CInt) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try check("send", on: "\(address)") {
                bytes.withUnsafeBytes { buffer in
                    Glibc.send(
                        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
                        CInt(MSG_NOSIGNAL))
                }
            }
        }
    }

    private func connected() throws(SystemError) -> CInt {
        if let open = socket?.rawValue { return open }
        let opened: Descriptor
        switch address {
        case .unix(let path): opened = try local(path)
        case .udp(let host, let port): opened = try remote(host, port, SOCK_DGRAM)
        case .tcp(let host, let port): opened = try remote(host, port, SOCK_STREAM)
        }
        let raw = opened.rawValue
        socket = consume opened
        return raw
    }

    private func local(_ path: String) throws(SystemError) -> Descriptor {
        let opened = try made(AF_UNIX, SOCK_DGRAM)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        try check("connect", on: "\(address)") {
            withUnsafeBytes(of: &name) { bytes in
                Glibc.connect(
                    opened.rawValue, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        }
        return opened
    }

    /// The first of the host's addresses that takes the connection.
    private func remote(
        _ host: String, _ port: UInt16, _ kind: __socket_type
    ) throws(SystemError) -> Descriptor {
        var hints = addrinfo()
        hints.ai_socktype = CInt(kind.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0, let first = found else {
            // EAI_SYSTEM leaves its reason in errno; the others are no codes of the kernel.
            throw SystemError(
                "getaddrinfo (no such host)", on: "\(address)",
                code: code == EAI_SYSTEM ? errno : ENOENT)
        }
        defer { freeaddrinfo(first) }
        var last = SystemError("connect", on: "\(address)", code: EHOSTUNREACH)
        for entry in sequence(first: first, next: \.pointee.ai_next) {
            do throws(SystemError) {
                let opened = try made(entry.pointee.ai_family, kind)
                try check("connect", on: "\(address)") {
                    Glibc.connect(
                        opened.rawValue, entry.pointee.ai_addr, entry.pointee.ai_addrlen)
                }
                return opened
            } catch {
                last = error
            }
        }
        throw last
    }

    /// On Linux SO_SNDTIMEO bounds `connect` as well: socket(7).
    private func made(
        _ family: CInt, _ kind: __socket_type
    ) throws(SystemError) -> Descriptor {
        let flags = CInt(kind.rawValue | SOCK_CLOEXEC.rawValue)
        let opened = Descriptor(
            owning: try check("socket", on: "\(address)") { Glibc.socket(family, flags, 0) })
        var limit = Self.patience
        try check("setsockopt", on: "SO_SNDTIMEO") {
            setsockopt(
                opened.rawValue, SOL_SOCKET, SO_SNDTIMEO, &limit,
                socklen_t(MemoryLayout<timeval>.size))
        }
        return opened
    }
}
