internal import Glibc
internal import Linux
internal import Reports

/// The namespace that a command is to run in; the calling thread is in it.
struct CommandPlace {
    /// How the agent finds it.
    let request: EnforcementRequest
    private let made: String?

    private static let folder = "/run/netns"

    /// Joins a namespace by name or path, or makes it; without a name, one that ends with the
    /// process.
    init(entering name: String?) throws(SystemError) {
        guard let name else {
            _ = try NetworkNamespace.replaceCurrent()
            try Self.switchLoopbackOn()
            request = EnforcementRequest(pid: getpid())
            made = nil
            return
        }
        let path = name.contains("/") ? name : Self.folder + "/" + name
        made = access(path, F_OK) == 0 ? nil : path
        if made != nil { try Self.make(path) }
        do throws(SystemError) {
            try NetworkNamespace(at: path).enter()
            if made != nil { try Self.switchLoopbackOn() }
        } catch {
            if made != nil { try? NetworkNamespace.unmount(at: path) }
            throw error
        }
        request = EnforcementRequest(namespace: Self.absolute(path))
    }

    /// Takes away what was made, after the agent said no.
    func undo() {
        guard let made else { return }
        do throws(SystemError) {
            try NetworkNamespace.unmount(at: made)
        } catch {
            complain("\(made) stays: \(error)")
        }
    }

    private static func make(_ path: String) throws(SystemError) {
        // As `ip netns` does: others have to be able to look.
        if mkdir(folder, 0o755) != 0, errno != EEXIST {
            throw SystemError("mkdir", on: folder, code: errno)
        }
        try NetworkNamespace.temporary().mount(at: path)
    }

    private static func absolute(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func switchLoopbackOn() throws(SystemError) {
        var socket = try RouteSocket()
        try socket.setUp(index: 1)
    }
}
