internal import Glibc
internal import Linux

/// The name of an abstract Unix socket, which is one process's as long as that has the socket open.
///
/// Names belong to a network namespace: the calling thread's.
enum AbstractName {
    enum Claim {
        /// A descriptor that holds the name.
        case taken(CInt)
        /// A process of root's has it.
        case others(pid: Int32)
        /// A process that is not root's has it, or none that can be found.
        case squatted
    }

    /// Takes a name, or finds out who has it.
    ///
    /// - Parameter name: At most 107 bytes.
    /// - Returns: What became of it.
    /// - Throws: What the kernel refused.
    static func claim(_ name: String) throws(BPFError) -> Claim {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.dropFirst().copyBytes(from: name.utf8) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
        let raw = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        if raw < 0 { throw BPFError("make a Unix socket", code: errno) }
        let answer = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) }
        }
        if answer == 0 { return .taken(raw) }
        let code = errno
        close(raw)
        guard code == EADDRINUSE else { throw BPFError("bind @\(name)", code: code) }
        let holder = inode(of: name).flatMap(ProcessFiles.holder(ofSocket:))
        guard let holder, holder.user == 0 else { return .squatted }
        return .others(pid: holder.pid)
    }

    /// The inode of the socket with a name: the last but one field of a line.
    private static func inode(of name: String) -> UInt64? {
        let line = ProcessFiles.lines(of: "/proc/thread-self/net/unix").first {
            $0.hasSuffix(" @\(name)")
        }
        return line?.split(separator: " ").dropLast().last.flatMap { UInt64($0) }
    }
}

/// What proc(5) tells of processes.
enum ProcessFiles {
    /// The process that has a socket open, and its user.
    static func holder(ofSocket inode: UInt64) -> (pid: Int32, user: UInt32)? {
        for name in Pinned.names(in: "/proc") {
            guard let pid = Int32(name) else { continue }
            for file in Pinned.names(in: "/proc/\(pid)/fd")
            where target(of: "/proc/\(pid)/fd/\(file)") == "socket:[\(inode)]" {
                var status = stat()
                guard stat("/proc/\(pid)", &status) == 0 else { continue }
                return (pid, status.st_uid)
            }
        }
        return nil
    }

    /// The lines of a file; none where it can't be read.
    static func lines(of path: String) -> [String] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var lines: [String] = []
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, CInt(line.count), file) != nil {
            let bytes = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
            lines.append(String(decoding: bytes, as: UTF8.self))
        }
        return lines
    }

    private static func target(of link: String) -> String {
        var bytes = [CChar](repeating: 0, count: 64)
        let count = readlink(link, &bytes, bytes.count)
        return String(
            decoding: bytes.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
