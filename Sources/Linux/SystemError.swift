private import Glibc
private import SystemPackage

/// A system call that the kernel refused.
public struct SystemError: Error, Hashable, Sendable {
    /// The system call, or the step of a protocol, that failed.
    public let operation: String
    /// What it was done to: a path, a link, a process.
    public let subject: String?
    /// The `errno` value.
    public let code: CInt

    public init(_ operation: String, on subject: String? = nil, code: CInt) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    /// What usually cures the error; nil where nothing general can be said.
    public var fix: String? {
        switch code {
        case EPERM, EACCES: "run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN"
        case EMFILE: "raise the limit on open files (LimitNOFILE= of the service, or ulimit -n)"
        case ENFILE: "raise the sysctl fs.file-max"
        case ENOSPC where operation == "inotify_add_watch":
            "raise the sysctl fs.inotify.max_user_watches"
        default: nil
        }
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        let place = subject.map { " \($0)" } ?? ""
        let advice = fix.map { "\n  fix: \($0)" } ?? ""
        return "\(operation)\(place): \(Errno(rawValue: code))\(advice)"
    }
}

/// Makes a system call, again as long as a signal interrupts it, and throws its `errno` when it
/// answers -1.
@discardableResult
public func check<Answer: SignedInteger>(
    _ operation: String, on subject: @autoclosure () -> String? = nil, _ call: () -> Answer
) throws(SystemError) -> Answer {
    while true {
        let answer = call()
        if answer != -1 { return answer }
        let code = errno
        if code != EINTR { throw SystemError(operation, on: subject(), code: code) }
    }
}
