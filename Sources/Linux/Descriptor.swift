public import Glibc

/// A file descriptor that is closed once: when its owner goes away.
public struct Descriptor: ~Copyable, Sendable {
    public let rawValue: CInt

    /// Takes over a descriptor that nobody else will close.
    public init(owning rawValue: CInt) { self.rawValue = rawValue }

    /// Opens a path; the descriptor is never inherited.
    ///
    /// The system call is `open`.
    public init(opening path: String, flags: CInt = O_RDONLY) throws(SystemError) {
        rawValue = try check("open", on: path) { open(path, flags | O_CLOEXEC) }
    }

    /// A second descriptor of a file that somebody else holds open.
    ///
    /// The system call is `fcntl` with F_DUPFD_CLOEXEC.
    public init(duplicating rawValue: CInt) throws(SystemError) {
        self.rawValue = try check("fcntl(F_DUPFD_CLOEXEC)") {
            fcntl(rawValue, F_DUPFD_CLOEXEC, 0)
        }
    }

    /// A second descriptor of the same file.
    ///
    /// The system call is `fcntl` with F_DUPFD_CLOEXEC.
    public func duplicate() throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(rawValue, F_DUPFD_CLOEXEC, 0) })
    }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> CInt {
        let value = rawValue
        discard self
        return value
    }

    deinit { _ = close(rawValue) }
}
