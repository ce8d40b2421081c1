private import Glibc

/// What changes when a file's content does, as cheap to read as a name.
public struct FileSignature: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64
    public let size: Int64
    /// Nanoseconds since 1970.
    public let modified: Int64
    /// Nanoseconds since 1970; unlike the other time, nobody can set it back.
    public let changed: Int64
}

extension FileSignature {
    /// Follows symbolic links.
    ///
    /// The system call is `stat`.
    public init(at path: String) throws(SystemError) { self = try FileStatus(at: path).signature }
}

/// What a name in a directory stands for.
enum FileKind: Hashable, Sendable {
    case regular
    case directory
    case link
    case other
}

/// What `stat` tells of a file.
struct FileStatus: Sendable {
    let kind: FileKind
    let signature: FileSignature
    let linkCount: UInt64
    let owner: UInt32
    let mode: FileMode

    /// Follows symbolic links.
    ///
    /// The system call is `stat`.
    init(at path: String) throws(SystemError) {
        var status = stat()
        try check("stat", on: path) { stat(path, &status) }
        self.init(status)
    }

    /// Looks at a symbolic link itself.
    ///
    /// The system call is `lstat`.
    init(ofLink path: String) throws(SystemError) {
        var status = stat()
        try check("lstat", on: path) { lstat(path, &status) }
        self.init(status)
    }

    /// The system call is `fstat`.
    init(of descriptor: borrowing Descriptor) throws(SystemError) {
        var status = stat()
        try check("fstat") { fstat(descriptor.rawValue, &status) }
        self.init(status)
    }

    private init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .other
            }
        linkCount = UInt64(status.st_nlink)
        owner = status.st_uid
        mode = FileMode(bits: status.st_mode)
        signature = FileSignature(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            size: Int64(status.st_size), modified: status.st_mtim.nanoseconds,
            changed: status.st_ctim.nanoseconds)
    }
}

extension timespec {
    fileprivate var nanoseconds: Int64 { Int64(tv_sec) * 1_000_000_000 + Int64(tv_nsec) }
}
