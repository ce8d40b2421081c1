internal import Glibc
internal import Linux

/// The policy files that are in force, kept as they were accepted.
///
/// They stand in the state directory under the path that they came from, so that an agent that
/// starts over a bad file knows what that file said while it was good, and `diff -r` shows what
/// of a directory is not in force.
struct AcceptedFiles {
    private let directory: PolicyDirectory
    /// What stands before a file's path in the path of what is kept of it.
    private let folder: String

    /// - Parameters:
    ///   - directory: The agent's state directory.
    ///   - policies: The directory of policy files.
    init(directory: String, policies: PolicyDirectory) {
        var absolute = policies.path
        if !absolute.hasPrefix("/"), let current = unsafe getcwd(nil, 0) {
            absolute = unsafe String(cString: current) + "/" + absolute
            unsafe free(current)
        }
        folder = directory + "/in-force" + absolute
        self.directory = PolicyDirectory(folder, limits: policies.limits)
        source = policies.path
    }

    private let source: String

    /// By the path in the policy directory: the bytes of every file that is kept.
    func read() -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for (path, file) in directory.snapshot().files {
            files[source + path.dropFirst(folder.count)] = file.bytes
        }
        return files
    }

    /// Keeps files as they are now; nil is one that is gone.
    func keep(_ files: [String: [UInt8]?]) throws(SystemError) {
        for (path, bytes) in files {
            let kept = folder + path.dropFirst(source.count)
            if let bytes {
                try replaceFile(at: kept, with: bytes)
            } else {
                try removeFile(at: kept)
            }
        }
    }
}
