private import Glibc

/// What a name stands for, and who may write to it.
public struct FileMode: Hashable, Sendable {
    private let bits: UInt32

    /// Looks at the name itself, not behind a link; nil if there is nothing.
    ///
    /// The system call is `lstat`.
    public init?(ofLink path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        bits = status.st_mode
    }

    init(bits: UInt32) { self.bits = bits }

    public var isSocket: Bool { bits & S_IFMT == S_IFSOCK }

    /// Whether somebody other than its owner may write; in a sticky directory nobody may replace
    /// what is another's.
    public var isOpenToOthers: Bool { bits & S_ISVTX == 0 && isWritableByOthers }

    /// The same without regard to the sticky bit, which means nothing on a file.
    var isWritableByOthers: Bool { bits & (S_IWGRP | S_IWOTH) != 0 }
}
