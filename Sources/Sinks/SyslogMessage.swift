internal import Glibc
internal import Reports

/// A record as RFC 5424 writes it.
struct SyslogMessage {
    /// Without framing.
    let bytes: [UInt8]

    init(_ record: SinkRecord, line: [UInt8], facility: SyslogFacility, host: String) {
        let priority = facility.number * 8 + record.severity.rawValue
        let header =
            "<\(priority)>1 \(record.at) \(host) ringfence \(getpid()) \(record.name) - "
        bytes = Array(header.utf8) + line
    }

    /// RFC 6587, 3.4.1: a stream has no other end of a message.
    var counted: [UInt8] { Array("\(bytes.count) ".utf8) + bytes }

    /// This machine's name as a header may have it; `-` is nobody's.
    static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "-" }
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        guard !name.isEmpty, name.allSatisfy({ (33...126).contains($0) }) else { return "-" }
        return String(decoding: name, as: UTF8.self)
    }
}
