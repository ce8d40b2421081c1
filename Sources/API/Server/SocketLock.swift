import Glibc

/// The right to listen at a path: no other agent has it as long as the value lives.
///
/// The kernel drops the lock with the process, so a crashed agent leaves none behind.
struct SocketLock: ~Copyable {
    private let descriptor: CInt

    /// Takes the lock beside the socket without waiting.
    ///
    /// The system call is `flock`.
    init(for socketPath: String) throws(APIServerError) {
        let path = socketPath + ".lock"
        let opened = try systemCall("open", path) {
            open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        }
        do throws(APIServerError) {
            try systemCall("flock", path) { flock(opened, LOCK_EX | LOCK_NB) }
        } catch {
            _ = close(opened)
            throw error.errorNumber == EWOULDBLOCK ? .taken(path: socketPath) : error
        }
        descriptor = opened
    }

    deinit { _ = close(descriptor) }
}

/// Makes a call that answers -1 on failure, and turns that into an error.
@discardableResult
func systemCall(
    _ name: String, _ path: String, _ body: () -> CInt
) throws(APIServerError) -> CInt {
    let result = body()
    guard result >= 0 else { throw .system(call: name, path: path, error: errno) }
    return result
}
