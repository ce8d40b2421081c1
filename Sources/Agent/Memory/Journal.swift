internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import NetTypes
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
        guard let data = FileManager.default.contents(atPath: path) else { return Found() }
        var found = Found()
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(line)),
                entry.number > last
            else { continue }
            state.withLock { $0.last = entry.number }
            take(entry, into: &found)
        }
        return found
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
            state.last += 1
            guard let line = try? JSONEncoder().encode(make(state.last)) + Data("\n".utf8) else {
                return
            }
            let file = try opened(&state)
            _ = try check("write", on: path) {
                line.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            }
        }
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
        return raw
    }
}

extension Journal {
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
    }
}
