private import Glibc

extension InternetSocket {
    /// Sends to the other end; how many bytes went, 0 when there is no room now.
    ///
    /// The system call is `send`.
    public borrowing func send(_ bytes: some Collection<UInt8>) throws(SystemError) -> Int {
        let bytes = Array(bytes)
        return try orNothing(0) { () throws(SystemError) in
            try check("send") {
                Glibc.send(descriptor.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL))
            }
        }
    }

    /// What has arrived; nil when nothing has, empty when the other end is done.
    ///
    /// The system call is `recv`.
    public borrowing func receive(atMost limit: Int = 2_048) throws(SystemError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        return try orNothing(nil) { () throws(SystemError) in
            let count = try check("recv") { recv(descriptor.rawValue, &bytes, limit, 0) }
            return Array(bytes.prefix(count))
        }
    }

    /// The next datagram and its sender; nil when none has arrived.
    ///
    /// The system call is `recvfrom`.
    public borrowing func receiveFrom() throws(SystemError) -> (
        bytes: [UInt8], sender: SocketAddress
    )? {
        var bytes = [UInt8](repeating: 0, count: 2_048)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return try orNothing(nil) { () throws(SystemError) in
            let count = try check("recvfrom") {
                withUnsafeMutableBytes(of: &storage) {
                    recvfrom(
                        descriptor.rawValue, &bytes, bytes.count, 0,
                        $0.assumingMemoryBound(to: sockaddr.self).baseAddress, &length)
                }
            }
            let raw = withUnsafeBytes(of: &storage) { Array($0.prefix(Int(length))) }
            guard let sender = SocketAddress(raw: raw[...]) else {
                throw SystemError("recvfrom", code: EAFNOSUPPORT)
            }
            return (Array(bytes.prefix(count)), sender)
        }
    }

    /// Sends a datagram; false when there is no room now.
    ///
    /// The system call is `sendto`.
    public borrowing func send(
        _ bytes: [UInt8], to remote: SocketAddress
    ) throws(SystemError) -> Bool {
        try orNothing(false) { () throws(SystemError) in
            try withRawAddress(remote) { address, length throws(SystemError) in
                try check("sendto", on: remote.description) {
                    sendto(
                        descriptor.rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL),
                        address, length)
                }
            }
            return true
        }
    }

    /// The own end.
    ///
    /// The system call is `getsockname`.
    public borrowing func localAddress() throws(SystemError) -> SocketAddress {
        try name("getsockname", getsockname)
    }

    /// The other end.
    ///
    /// The system call is `getpeername`.
    public borrowing func remoteAddress() throws(SystemError) -> SocketAddress {
        try name("getpeername", getpeername)
    }

    private borrowing func name(
        _ operation: String,
        _ call: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try check(operation) {
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    call(descriptor.rawValue, $0, &length)
                }
            }
        }
        let raw = withUnsafeBytes(of: &storage) { Array($0.prefix(Int(length))) }
        guard let address = SocketAddress(raw: raw[...]) else {
            throw SystemError(operation, code: EAFNOSUPPORT)
        }
        return address
    }
}

/// Answers something else when the call would have to wait.
private func orNothing<Answer>(
    _ nothing: Answer, _ body: () throws(SystemError) -> Answer
) throws(SystemError) -> Answer {
    do throws(SystemError) {
        return try body()
    } catch let error where error.code == EAGAIN {
        return nothing
    }
}
