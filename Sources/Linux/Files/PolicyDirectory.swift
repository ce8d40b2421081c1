/// A directory tree of policy files, read without trust in what lies there.
public struct PolicyDirectory: Sendable {
    /// How much a directory may hold; whatever is beyond is a problem, never cut off in silence.
    public struct Limits: Hashable, Sendable {
        public var bytesPerFile = 4 << 20
        public var files = 20_000
        public var depth = 16

        public init() {}
    }

    /// As the user typed it, without a slash at the end.
    public let path: String
    public let limits: Limits

    public init(_ path: String, limits: Limits = Limits()) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.limits = limits
    }

    /// Every policy file with its bytes.
    ///
    /// The bytes are taken over from the previous snapshot where the file is still the same.
    public func snapshot(after previous: Snapshot = Snapshot()) -> Snapshot {
        let walk = PolicyWalk(of: path, limits: limits)
        var snapshot = Snapshot(problems: walk.problems)
        snapshot.ignored = walk.ignored.sorted()
        for path in walk.files {
            snapshot.take(path, from: self, unlessSameAs: previous.files[path])
        }
        return snapshot
    }

    /// Reads one file again, or finds that it is gone, in a snapshot that otherwise stays.
    public func refresh(_ path: String, in snapshot: inout Snapshot) {
        snapshot.files[path] = nil
        snapshot.problems[path] = nil
        snapshot.take(path, from: self, unlessSameAs: nil)
        if isNoFile(path, snapshot.problems[path]) { snapshot.problems[path] = nil }
    }

    /// Whether a walk would find no file there: nothing, not even a link that leads nowhere, or a
    /// directory.
    private func isNoFile(_ path: String, _ problem: Problem?) -> Bool {
        switch problem {
        case .system(let error): error.isAbsence && (try? FileStatus(ofLink: path)) == nil
        case .notAFile: (try? FileStatus(at: path))?.kind == .directory
        default: false
        }
    }
}

extension PolicyDirectory {
    /// A file as it was read.
    public struct File: Hashable, Sendable {
        /// Empty once the snapshot's owner has taken them.
        public internal(set) var bytes: [UInt8]
        /// A hash of the bytes, which stays.
        public let digest: UInt64
        public let signature: FileSignature
        /// Whether a later change is sure to show in the signature.
        let isSettled: Bool
    }

    /// What a tree of policy files held.
    public struct Snapshot: Hashable, Sendable {
        /// By path, as the user would type it.
        public internal(set) var files: [String: File] = [:]
        /// By path: what could not be read, the directory itself included.
        public internal(set) var problems: [String: Problem] = [:]
        /// The paths of files that look like policy files and are none by their names, sorted.
        ///
        /// Such names end in `.json`, `.YAML` and the like.
        public internal(set) var ignored: [String] = []

        public init() {}

        /// Gives up the bytes of every file: whoever read them keeps what they say.
        public mutating func forgetBytes() {
            for path in files.keys where files[path]?.bytes.isEmpty == false {
                files[path]?.bytes = []
            }
        }

        /// Forgets that a file was read, so that whatever is in it is taken for a change the next time.
        ///
        /// - Parameter path: The file.
        public mutating func forget(_ path: String) { files[path] = nil }

        /// Takes over what an earlier snapshot says of files that are not to be looked at yet, so
        /// that whatever is in them then is seen as a change.
        public mutating func leave(_ paths: some Sequence<String>, asIn earlier: Snapshot) {
            for path in paths {
                files[path] = earlier.files[path]
                problems[path] = earlier.problems[path]
            }
        }

        /// The same of some files.
        public mutating func forgetBytes(of paths: some Sequence<String>) {
            for path in paths { files[path]?.bytes = [] }
        }

        init(problems: [String: Problem]) { self.problems = problems }

        /// Whether the kernel was short of something: no watch tells when that is over.
        public var isToBeReadAgain: Bool {
            problems.values.contains {
                if case .system(let error) = $0 { !error.saysNothingIsThere } else { false }
            }
        }
    }

    /// Why something was not read.
    public enum Problem: Error, Hashable, Sendable {
        case system(SystemError)
        /// A pipe, a socket or a device.
        case notAFile
        case tooLarge(limit: Int)
        /// Somebody kept writing while it was read.
        case changing
        case tooDeep(limit: Int)
        case tooManyFiles(limit: Int)
        /// Somebody other than its owner may write to it.
        case openToOthers
        /// It belongs to neither root nor the user that reads it.
        case foreign(owner: UInt32)
    }
}

extension PolicyDirectory.Snapshot {
    fileprivate mutating func take(
        _ path: String, from directory: PolicyDirectory,
        unlessSameAs known: PolicyDirectory.File?
    ) {
        do throws(PolicyDirectory.Problem) {
            if let known, known.isSettled, known.signature == (try? FileStatus(at: path))?.signature
            {
                files[path] = known
            } else {
                files[path] = try persistently { () throws(PolicyDirectory.Problem) in
                    try PolicyDirectory.File(
                        reading: path, limit: directory.limits.bytesPerFile)
                }
            }
        } catch {
            problems[path] = error
        }
    }
}
