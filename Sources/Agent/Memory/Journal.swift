internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import NetTypes
internal import Policy
internal import Rules
internal import Synchronization

/// Final counters, written down the moment they leave the kernel.
///
/// The ledger follows a second later as a whole; an agent that is killed in between finds here what
/// no kernel holds any more. Nothing is synced to the disk: when the machine goes, so do the
/// kernel's own counters.
final class Journal: Sendable {
    private let path: String
    private let state = Mutex(State())

    private struct State: ~Copyable {
        var descriptor: Descriptor?
        var last: UInt64 = 0
    }

    /// How far a change had come when the entry was written.
    private enum Step: String, Codable {
        /// Rules are about to go; this is what they had counted before.
        case ahead
        /// Rules went; the kernel's answer is still in the socket.
        case answered
        /// It is over: nothing that was written before of the endpoint matters any more.
        case over
    }

    private struct Entry: Codable {
        let number: UInt64
        var step: Step?
        var endpoint: NamespaceID?
        var digest: UInt64?
        var rules: [Going]?
        var carried: Carried?
    }

    /// The number of the last entry.
    var last: UInt64 { state.withLock { $0.last } }

    init(directory: String) { path = directory + "/counts.journal" }

    /// Gives what is behind a number; a line that was cut off is left out.
    func read(after number: UInt64) -> Found {
        state.withLock { $0.last = number }
        var found = Found()
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try contents(of: path) ?? []
        } catch {
            found.damage = SealedFile.setAside(path, "\(error)", Self.consequence)
            return found
        }
        var damaged = 0
        for line in bytes.split(separator: Self.newline) {
            guard let entry = Self.entry(on: line) else {
                damaged += 1
                continue
            }
            guard entry.number > last else { continue }
            state.withLock { $0.last = entry.number }
            take(entry, into: &found)
        }
        // An agent that was killed may have left half a line at the end.
        if let end = bytes.last, end != Self.newline { damaged -= 1 }
        if damaged > 0 { found.damage = keepCopy(of: bytes, damaged) }
        return found
    }

    private static let newline = UInt8(ascii: "\n")
    private static let consequence = "final counts of rules that went may be missing"

    /// What a line says, if it agrees with its checksum.
    ///
    /// A line is the first 16 digits of the SHA-256 of what follows, a space, and the entry in JSON. Earlier
    /// versions wrote the entry only.
    private static func entry(on line: ArraySlice<UInt8>) -> Entry? {
        var json = line
        if line.first != UInt8(ascii: "{") {
            json = line.dropFirst(17)
            let prefix = Array("\(checksum(of: json)) ".utf8)
            guard line.prefix(17).elementsEqual(prefix) else { return nil }
        }
        return try? JSONDecoder().decode(Entry.self, from: Data(json))
    }

    private static func checksum(of json: some DataProtocol) -> Substring {
        SealedFile.digest(of: json).prefix(16)
    }

    /// Keeps what could not be read: the journal itself is emptied soon.
    private func keepCopy(of bytes: [UInt8], _ count: Int) -> Diagnostic {
        let copy = path + ".damaged"
        let isKept: Bool
        do throws(SystemError) {
            try replaceFile(at: copy, with: bytes)
            isKept = true
        } catch {
            isKept = false
        }
        return Diagnostic(
            "kept state is damaged: \(count) lines don't agree with their checksums; "
                + Self.consequence + (isKept ? "; a copy is kept as \(copy)" : ""),
            fix: "look for errors of the disk",
            at: SourcePlace(file: path, line: 1, column: 1))
    }

    private func take(_ entry: Entry, into found: inout Found) {
        switch entry.step {
        case nil, .over:
            if let endpoint = entry.endpoint { found.unfinished[endpoint] = nil }
            if let carried = entry.carried { found.carried.append(carried) }
        case .ahead:
            guard let endpoint = entry.endpoint else { return }
            // What an earlier transaction of the change was answered stays.
            found.unfinished[endpoint, default: Unfinished()].going = entry.rules ?? []
        case .answered:
            guard let endpoint = entry.endpoint, let carried = entry.carried else { return }
            found.unfinished[endpoint, default: Unfinished()].going = []
            found.unfinished[endpoint, default: Unfinished()].carried.append(carried)
            if let digest = entry.digest {
                found.unfinished[endpoint, default: Unfinished()].digests.insert(digest)
            }
        }
    }

    /// Writes that a change is over; the ledger has it in any case, and is written soon.
    func append(_ carried: Carried, of endpoint: NamespaceID? = nil) throws(SystemError) {
        try write { Entry(number: $0, step: .over, endpoint: endpoint, carried: carried) }
    }

    /// Writes what rules have counted that are about to go.
    func prepare(_ rules: [Going], of endpoint: NamespaceID) throws(SystemError) {
        try write { Entry(number: $0, step: .ahead, endpoint: endpoint, rules: rules) }
    }

    /// Writes what the kernel has answered; whoever writes that the change is over will see why
    /// nothing can be written.
    func answered(_ carried: Carried, of endpoint: NamespaceID, _ digest: UInt64) {
        try? write {
            Entry(
                number: $0, step: .answered, endpoint: endpoint, digest: digest, carried: carried)
        }
    }

    private func write(_ make: (UInt64) -> Entry) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            let json = try encodedJSON(make(state.last + 1), for: path)
            let line = Data("\(Self.checksum(of: json)) ".utf8) + json + [Self.newline]
            let file = try opened(&state)
            state.last += 1
            try append(line, to: file)
        }
    }

    /// Writes a whole line, or none of it: half a line would take the next one with it.
    private func append(_ line: Data, to file: CInt) throws(SystemError) {
        let end = try check("lseek", on: path) { lseek(file, 0, SEEK_END) }
        let count = try check("write", on: path) {
            line.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        }
        guard count < line.count else { return }
        _ = try check("ftruncate", on: path) { ftruncate(file, end) }
        throw SystemError("write all of a line", on: path, code: ENOSPC)
    }

    /// Empties it, once a ledger with everything up to that entry is written.
    func clear(upTo number: UInt64) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard number == state.last, state.descriptor != nil else { return }
            let file = try opened(&state)
            _ = try check("ftruncate", on: path) { ftruncate(file, 0) }
        }
    }

    private func opened(_ state: inout State) throws(SystemError) -> CInt {
        if let open = state.descriptor?.rawValue { return open }
        let raw = try check("open", on: path) {
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        }
        state.descriptor = Descriptor(owning: raw)
        try endHalfLine(raw)
        return raw
    }
}

extension Journal {
    /// Ends a line that an agent which was killed, or a disk that was full, has left unfinished.
    private func endHalfLine(_ file: CInt) throws(SystemError) {
        let end = try check("lseek", on: path) { lseek(file, 0, SEEK_END) }
        guard end > 0 else { return }
        let reading = Descriptor(
            owning: try check("open", on: path) { open(path, O_RDONLY | O_CLOEXEC) })
        var last: UInt8 = 0
        let count = try check("pread", on: path) { pread(reading.rawValue, &last, 1, end - 1) }
        guard count == 1, last != Self.newline else { return }
        var newline = Self.newline
        _ = try check("write", on: path) { Glibc.write(file, &newline, 1) }
    }

    /// A rule that is about to go, with what it had counted.
    struct Going: Codable, Hashable {
        let mark: UInt32
        let rule: Ledger.RuleKey
        let count: RuleCount
    }

    /// A change in the middle of which the agent was killed.
    struct Unfinished {
        /// What rules had counted before; nothing where the kernel's answer is known.
        var going: [Going] = []
        var carried: [Carried] = []
        /// Answers that are in here already, though they may still be in the socket.
        var digests: Set<UInt64> = []
    }

    /// What the agent before left.
    struct Found {
        var carried: [Carried] = []
        var unfinished: [NamespaceID: Unfinished] = [:]
        /// What was wrong with the file.
        var damage: Diagnostic?
    }
}
