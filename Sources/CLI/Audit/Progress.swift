internal import Glibc

/// How far a long command is, on one line of the terminal; nothing where there is none.
struct Progress {
    private let isShown: Bool

    /// Shows on the standard error, so that the output stays what it is.
    init() { isShown = isatty(STDERR_FILENO) == 1 }

    func show(_ what: String, _ done: Int, of total: Int) {
        guard isShown else { return }
        put("\r\u{1b}[K\(what) \(done) of \(total)")
    }

    /// Takes the line away.
    func finish() {
        if isShown { put("\r\u{1b}[K") }
    }

    private func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
