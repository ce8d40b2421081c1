import Glibc

/// Why the API can't listen.
public enum APIServerError: Error, Hashable, Sendable {
    /// Another process holds the socket or its lock.
    case taken(path: String)
    /// Something else than a socket is at the path.
    case notASocket(path: String)
    /// The kernel keeps 108 bytes of a socket's path.
    case pathTooLong(path: String, greatest: Int)
    /// Other users may write to the socket's directory, and so replace the socket.
    case openDirectory(String)
    /// A system call failed.
    case system(call: String, path: String, error: Int32)

    var errorNumber: Int32? {
        if case .system(_, _, let error) = self { error } else { nil }
    }
}

extension APIServerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .taken(let path):
            "another agent is listening on \(path)\n  fix: stop it, or give this one another socket"
        case .notASocket(let path):
            "\(path) exists and is not a socket\n  fix: remove it, or choose another path"
        case .pathTooLong(let path, let greatest):
            "the socket path \(path) is too long\n  fix: choose one of at most \(greatest) bytes"
        case .openDirectory(let path):
            "other users may write to \(path), and so replace the socket in it\n"
                + "  fix: chmod go-w \(path), or choose another directory"
        case .system(let call, let path, let error):
            "\(call) failed on \(path): \(systemText(of: error))\n"
                + "  fix: run the agent as root, and check the directory of the socket"
        }
    }
}

/// The words of the C library for an error number.
func systemText(of error: Int32) -> String {
    strerror(error).map { String(cString: $0) } ?? "error \(error)"
}
