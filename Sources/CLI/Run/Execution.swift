internal import Glibc
internal import Linux

/// A command that this process becomes.
struct Execution {
    private let words: [String]

    init(_ words: [String]) { self.words = words }

    /// Becomes the command; gives the error if it can't.
    ///
    /// The system call is `execve`.
    func failure() throws(SystemError) -> SystemError {
        // The library ignores it, and the command would inherit that.
        signal(SIGPIPE, SIG_DFL)
        var mask = sigset_t()
        sigemptyset(&mask)
        pthread_sigmask(SIG_SETMASK, &mask, nil)
        let arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        execvp(words[0], arguments)
        return SystemError("execvp", on: words[0], code: errno)
    }
}
