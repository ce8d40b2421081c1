internal import Evidence
internal import Glibc
internal import Linux

/// The file of the chain; nothing is ever changed in it but its end.
struct AuditTrail {
    let path: String

    init(directory: String) { path = directory + "/audits.jsonl" }

    enum Problem: Error, CustomStringConvertible {
        case system(SystemError)
        /// The last line is no record: whatever follows would hang on nothing.
        case damaged(String)

        var description: String {
            switch self {
            case .system(let error): "\(error)"
            case .damaged(let path):
                "the last line of \(path) is no record\n"
                    + "  fix: see 'ringfence verify \(path)', and move the file away: the next"
                    + " audit begins another chain"
            }
        }
    }

    /// Appends a record; its files are made first, while nobody else can append.
    ///
    /// The system calls are `flock`, `write` and `fsync`.
    func append(
        key: SigningKey?, _ make: (RecordPlace) throws -> AuditRecord
    ) throws -> RecordLine {
        let file = try open()
        try check("flock", on: path) { flock(file.rawValue, LOCK_EX) }
        let line = try RecordLine(try make(try place(in: file)), key: key)
        var rest = (line.bytes + [0x0a])[...]
        while !rest.isEmpty {
            let count = try check("write", on: path) {
                rest.withUnsafeBytes { write(file.rawValue, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
        try check("fsync", on: path) { fsync(file.rawValue) }
        return line
    }

    /// The records that can be read, the oldest first; none where there is no file.
    func records() throws -> [AuditRecord] {
        guard access(path, F_OK) == 0 else { return [] }
        return try readFile(path).split(separator: 0x0a).compactMap {
            RecordLine($0).flatMap { AuditRecord(reading: $0.record) }
        }
    }

    private func open() throws(SystemError) -> Descriptor {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += (folder.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            _ = mkdir(folder, 0o700)
        }
        return Descriptor(
            owning: try check("open", on: path) {
                Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            })
    }

    /// What follows the last line.
    private func place(in file: borrowing Descriptor) throws -> RecordPlace {
        let bytes = try readFile(path)
        guard !bytes.isEmpty else { return .first }
        let lines = bytes.split(separator: 0x0a)
        guard bytes.last == 0x0a, let last = lines.last.flatMap({ RecordLine($0) }), last.isIntact,
            let record = AuditRecord(reading: last.record)
        else { throw Problem.damaged(path) }
        return RecordPlace(sequence: record.sequence + 1, previous: last.sha256)
    }
}

/// Reads a file as a whole.
func readFile(_ path: String) throws(SystemError) -> [UInt8] {
    let file = try Descriptor(opening: path)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = try check("read", on: path) { read(file.rawValue, &chunk, chunk.count) }
        if count == 0 { return bytes }
        bytes += chunk.prefix(count)
    }
}
