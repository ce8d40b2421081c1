private import CLinux
private import Glibc
public import NetTypes

/// An open network namespace; it lives at least as long as the value does.
public struct NetworkNamespace: ~Copyable, Sendable {
    public let id: NamespaceID
    /// The open `nsfs` file.
    public let descriptor: Descriptor

    /// Opens the namespace that is mounted at a path, or that a symbolic link leads to.
    ///
    /// Nothing but an `nsfs` file of a network namespace is opened: `EINVAL` otherwise. The system
    /// calls are `open` and `fstatfs`.
    public init(at path: String) throws(SystemError) {
        // Opening a pipe waits and opening a device acts, so look before opening for real.
        let found = try Descriptor(opening: path, flags: linux_O_PATH)
        var volume = statfs()
        try check("fstatfs", on: path) { fstatfs(found.rawValue, &volume) }
        guard volume.f_type == linux_NSFS_MAGIC else {
            throw SystemError("setns", on: path, code: EINVAL)
        }
        let opened = try Descriptor(opening: "/proc/self/fd/\(found.rawValue)")
        let type = try check("ioctl(NS_GET_NSTYPE)", on: path) {
            linux_namespace_type(opened.rawValue)
        }
        guard type == linux_CLONE_NEWNET else {
            throw SystemError("setns", on: path, code: EINVAL)
        }
        var status = stat()
        try check("fstat", on: path) { fstat(opened.rawValue, &status) }
        id = NamespaceID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        descriptor = opened
    }

    /// Opens the namespace that a process lives in.
    public init(pid: Int32) throws(SystemError) {
        try self.init(at: "/proc/\(pid)/ns/net")
    }

    /// The namespace of the calling thread.
    public static func current() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(at: "/proc/thread-self/ns/net")
    }

    /// Makes a namespace of its own; it ends with the value unless it is mounted.
    ///
    /// The system call is `unshare`.
    public static func temporary() throws(SystemError) -> NetworkNamespace {
        try onThreadOfItsOwn { () throws(SystemError) in try replaceCurrent() }
    }

    /// Moves the calling thread into a new namespace, for a thread that makes many and ends.
    ///
    /// The system call is `unshare`.
    public static func replaceCurrent() throws(SystemError) -> NetworkNamespace {
        try check("unshare") { linux_unshare(linux_CLONE_NEWNET) }
        return try current()
    }

    /// Does the work inside the namespace, on a thread that is made for it and ends with it.
    ///
    /// System calls only: whatever starts threads or processes of its own does not belong inside.
    /// Sockets opened inside stay in the namespace wherever they are used. The system call is
    /// `setns`.
    public func run<Outcome: ~Copyable>(
        _ body: () throws(SystemError) -> Outcome
    ) throws(SystemError) -> Outcome {
        try onThreadOfItsOwn { () throws(SystemError) in
            try enter()
            return try body()
        }
    }

    /// Moves the calling thread into the namespace for good, for a process that becomes another.
    ///
    /// The system call is `setns`.
    public func enter() throws(SystemError) {
        try check("setns", on: id.description) {
            linux_setns(descriptor.rawValue, linux_CLONE_NEWNET)
        }
    }

    /// Gives the namespace a name in the file system, which keeps it alive.
    ///
    /// The system calls are `open` and `mount`.
    public func mount(at path: String) throws(SystemError) {
        _ = Descriptor(
            owning: try check("open", on: path) {
                open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o444)
            })
        let source = "/proc/self/fd/\(descriptor.rawValue)"
        try check("mount", on: path) { Glibc.mount(source, path, "none", UInt(MS_BIND), nil) }
    }

    /// Takes a name away again, whatever state it is in.
    ///
    /// The system calls are `umount2` and `unlink`.
    public static func unmount(at path: String) throws(SystemError) {
        // EINVAL: not mounted, as when a crash came between making the file and mounting it.
        while umount2(path, CInt(MNT_DETACH)) == 0 {}
        let code = errno
        guard code == EINVAL || code == ENOENT else {
            throw SystemError("umount2", on: path, code: code)
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw SystemError("unlink", on: path, code: errno)
        }
    }
}
