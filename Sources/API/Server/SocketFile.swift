import Glibc
import Linux

/// The place of the API's socket in the file system.
///
/// The socket is bound in a directory of its own that nobody else can enter, gets its mode there,
/// and is then renamed to its place: at no moment can another user connect, and a socket that a
/// crashed agent left is replaced in one step.
struct SocketFile: Sendable {
    private let path: String
    /// Where to bind.
    let stagingPath: String

    private static let stagingName = ".new/s"
    /// The greatest length of a path, so that the staging path and its 0 fit into `sun_path`.
    private static let greatestLength = 107 - stagingName.utf8.count

    init(path: String) throws(APIServerError) {
        guard path.utf8.count <= Self.greatestLength else {
            throw .pathTooLong(path: path, greatest: Self.greatestLength)
        }
        self.path = path
        stagingPath = path + Self.stagingName
    }

    /// Makes the directory that holds the socket; one that exists keeps its mode, for others may
    /// need it, but must not let anybody replace the socket.
    func makeDirectory() throws(APIServerError) {
        let directory = path.parentDirectory
        guard let mode = FileMode(ofLink: directory) else {
            try systemCall("mkdir", directory) { mkdir(directory, 0o700) }
            return
        }
        if mode.isOpenToOthers { throw .openDirectory(directory) }
    }

    /// Makes sure that nobody listens at the path, and makes the staging directory.
    func prepare() async throws {
        if let mode = FileMode(ofLink: path) {
            guard mode.isSocket else { throw APIServerError.notASocket(path: path) }
            if await isAnswered(path) { throw APIServerError.taken(path: path) }
        }
        removeStaging()
        let directory = stagingPath.parentDirectory
        try systemCall("mkdir", directory) { mkdir(directory, 0o700) }
    }

    /// Gives the bound socket its mode and its place.
    func publish() throws(APIServerError) {
        try systemCall("chmod", stagingPath) { chmod(stagingPath, 0o600) }
        try systemCall("rename", path) { rename(stagingPath, path) }
        removeStaging()
    }

    /// Removes what is left of a socket that was never published.
    func removeStaging() {
        _ = unlink(stagingPath)
        _ = rmdir(stagingPath.parentDirectory)
    }

    /// Removes the published socket.
    func remove() { _ = unlink(path) }
}

extension String {
    /// What comes before the last slash; `.` without one.
    fileprivate var parentDirectory: String {
        guard let slash = lastIndex(of: "/") else { return "." }
        return slash == startIndex ? "/" : String(self[..<slash])
    }
}
