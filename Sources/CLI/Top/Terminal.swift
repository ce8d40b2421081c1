internal import Glibc

/// A terminal on its second screen, with keys that come at once.
///
/// Keys that make signals go on making them, but for the one that suspends: it would leave the
/// second screen on.
struct Terminal: Sendable {
    /// What was set before; nil where the standard input is no terminal.
    private let before: termios?

    /// Switches to the second screen.
    ///
    /// The library calls are `tcgetattr` and `tcsetattr`.
    init() {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else {
            before = nil
            Self.write(Self.enter)
            return
        }
        before = settings
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        settings.c_cc.10 = 0  // VSUSP: disabled
        settings.c_cc.6 = 1  // VMIN: a key is enough
        settings.c_cc.5 = 0  // VTIME: and is waited for
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        Self.write(Self.enter)
    }

    /// Puts everything back as it was.
    func restore() {
        Self.write(Self.leave)
        guard var settings = before else { return }
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    }

    /// Whether there is anybody to press keys.
    var hasKeys: Bool { before != nil }

    /// Overwrites the screen; without clearing it first, so that it doesn't flicker.
    func draw(_ lines: [String]) {
        let text = lines.map { $0 + Self.clearLine }.joined(separator: "\r\n")
        Self.write(Self.home + text + Self.clearRest)
    }

    /// Waits for a key; nil when the terminal is gone.
    static func key() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    // ECMA-48, and xterm's second screen (1049) and cursor (25).
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l"
    private static let leave = "\u{1b}[?25h\u{1b}[?1049l"
    private static let home = "\u{1b}[H"
    private static let clearLine = "\u{1b}[K"
    private static let clearRest = "\u{1b}[J"

    private static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR { return }
        }
    }
}
