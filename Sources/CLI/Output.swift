internal import ArgumentParser
internal import Glibc
internal import Reports

/// How a report is printed.
struct OutputOptions: ParsableArguments {
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case table
        case json
    }

    @Option(name: .shortAndLong, help: "table for people, json for programs.")
    var output = Form.table

    func show(_ report: some TextReport & Encodable) throws {
        switch output {
        case .table: print(report.text(width: Self.terminalWidth), terminator: "")
        case .json: print(try ReportJSON.text(report))
        }
    }

    /// The terminal's columns; nil when the output goes elsewhere.
    static var terminalWidth: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }
}

/// Prints to standard error.
func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Sends what was printed on its way: a reader at the other end of a pipe waits for it.
func flushOutput() { fflush(nil) }
