internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Reports

/// How a report is printed.
struct OutputOptions: ParsableArguments {
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case table
        case json
        case csv
    }

    @Option(
        name: .shortAndLong, help: "table for people, json for programs, csv for spreadsheets.")
    var output = Form.table

    func show(_ report: some TextReport & Encodable) throws {
        switch output {
        case .table: print(report.text(Self.form), terminator: "")
        case .json: print(try ReportJSON.text(report), terminator: "")
        case .csv: print(report.csv.text, terminator: "")
        }
    }

    /// What the standard output understands.
    static var form: TextForm {
        TextForm(
            width: terminalSize?.columns,
            isColoured: TextForm.isColoured(
                isTerminal: isatty(STDOUT_FILENO) == 1,
                environment: ProcessInfo.processInfo.environment))
    }

    /// The terminal's size; nil when the output goes elsewhere.
    static var terminalSize: (columns: Int, rows: Int)? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// Prints to standard error.
func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Sends what was printed on its way: a reader at the other end of a pipe waits for it.
func flushOutput() { fflush(nil) }
