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
