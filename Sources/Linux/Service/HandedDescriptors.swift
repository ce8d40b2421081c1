private import Glibc

/// Descriptors that the service manager hands to a process that starts, by their names.
///
/// The protocol is that of sd_listen_fds_with_names(3): they begin at 3, LISTEN_FDS counts them,
/// LISTEN_FDNAMES names them, and LISTEN_PID says whom they are for.
public struct HandedDescriptors: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let descriptor: CInt
    }

    public let entries: [Entry]

    private static let first: CInt = 3

    /// Reads what the environment says; nothing where it speaks to another process.
    public init(environment: [String: String], pid: Int32) {
        guard environment["LISTEN_PID"] == "\(pid)",
            let count = environment["LISTEN_FDS"].flatMap({ CInt($0) }),
            (0...65_536).contains(count)
        else {
            entries = []
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "")
            .split(separator: ":", omittingEmptySubsequences: false)
        entries = (0..<count).map { number in
            let index = Int(number)
            return Entry(
                name: index < names.count ? String(names[index]) : "unknown",
                descriptor: Self.first + number)
        }
    }

    /// Keeps programs that this one starts from inheriting them.
    ///
    /// The system call is `fcntl` with F_SETFD.
    public func closeOnExecution() throws(SystemError) {
        for entry in entries {
            try check("fcntl(F_SETFD)", on: "descriptor \(entry.descriptor)") {
                fcntl(entry.descriptor, F_SETFD, FD_CLOEXEC)
            }
        }
    }
}
