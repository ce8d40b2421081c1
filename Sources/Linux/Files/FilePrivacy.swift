private import Glibc

/// Whether nobody but its owner may read, write or run a file.
///
/// The system call is `stat`.
public func isPrivateFile(_ path: String) throws(SystemError) -> Bool {
    var status = stat()
    try check("stat", on: path) { stat(path, &status) }
    return status.st_mode & 0o077 == 0
}
