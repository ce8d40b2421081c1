private import CLinux
private import Glibc

/// A process that can't be mistaken for a later one with the same number.
///
/// The descriptor becomes readable when the process ends. The system call is `pidfd_open`.
public struct ProcessHandle: ~Copyable, Sendable {
    public let pid: Int32
    public let descriptor: Descriptor

    public init(pid: Int32) throws(SystemError) {
        self.pid = pid
        descriptor = Descriptor(
            owning: try check("pidfd_open", on: "process \(pid)") { linux_pidfd_open(pid, 0) })
    }

    /// Whether the process has ended; it may not have been waited for yet.
    ///
    /// The system call is `poll`.
    public func hasEnded() throws(SystemError) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return try check("poll", on: "process \(pid)") { poll(&entry, 1, 0) } == 1
    }

    /// When this very process began, in clock ticks since the machine started (proc_pid_stat(5), field 22).
    ///
    /// - Returns: With the boot's identity no other process of the same number has it.
    /// - Throws: `ESRCH` when it has ended, whoever has its number by now.
    public func startTime() throws(SystemError) -> UInt64 {
        let text = try smallFile("/proc/\(pid)/stat")
        // The name of the program stands in parentheses and may hold anything.
        let fields = text.lastIndex(of: ")").map { text[$0...].split(separator: " ") } ?? []
        guard try !hasEnded(), fields.count > 20, let start = UInt64(fields[20]) else {
            throw SystemError("read", on: "/proc/\(pid)/stat", code: ESRCH)
        }
        return start
    }

    /// The namespace that this very process lives in; `ESRCH` when it has ended.
    public func networkNamespace() throws(SystemError) -> NetworkNamespace {
        let namespace = try NetworkNamespace(pid: pid)
        // The number may have passed to another process before the namespace was opened.
        guard try !hasEnded() else {
            throw SystemError("pidfd_open", on: "process \(pid)", code: ESRCH)
        }
        return namespace
    }
}

/// The kernel's name for the time since the machine started, another one after each start: `boot_id` of random(4).
///
/// - Returns: A UUID.
/// - Throws: What the kernel answered.
public func bootIdentity() throws(SystemError) -> String {
    String(try smallFile("/proc/sys/kernel/random/boot_id").prefix { !$0.isWhitespace })
}

/// A file of /proc that one read gives whole.
private func smallFile(_ path: String) throws(SystemError) -> String {
    let file = try Descriptor(opening: path, flags: O_RDONLY)
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = try check("read", on: path) { read(file.rawValue, &bytes, bytes.count) }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}
