internal import Glibc
internal import Linux

/// Where a sink's records go; used on the sink's thread alone.
protocol SinkWriter: AnyObject {
    /// Writes a whole record, or throws and leaves no part of it behind where that can be helped.
    func write(_ record: SinkRecord, line: [UInt8]) throws(SystemError)

    /// Lets go of what is open; the next record opens it again.
    func close()
}

/// JSON lines on the standard output, which belongs to whoever started the agent.
final class StandardOutput: SinkWriter {
    func write(_ record: SinkRecord, line: [UInt8]) throws(SystemError) {
        try writeAll(line + [UInt8(ascii: "\n")], to: STDOUT_FILENO, "standard output")
    }

    func close() {}
}

/// Writes everything, waiting where the other end is slow.
///
/// The system calls are `write` and `poll`.
func writeAll(_ bytes: [UInt8], to descriptor: CInt, _ name: String) throws(SystemError) {
    var done = 0
    while done < bytes.count {
        do throws(SystemError) {
            done += try check("write", on: name) {
                bytes.withUnsafeBytes { buffer in
                    Glibc.write(
                        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                }
            }
        } catch  where error.code == EAGAIN {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            try check("poll", on: name) { poll(&waiting, 1, -1) }
        }
    }
}
