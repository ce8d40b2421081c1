internal import NetTypes
internal import Policy

/// The policy files: what is in force of each, and what is wrong with what lies on the disk.
///
/// A file with a mistake keeps its last good content in force and holds up no other file.
struct PolicyInputs: Sendable {
    /// What is in force.
    private(set) var accepted = PolicySet.empty
    /// By path: why the file by itself can't be in force.
    private var mistakes: [String: [Diagnostic]] = [:]
    /// By path: what stands against the file, or would if what is held were taken.
    private var conflicts: [String: [Diagnostic]] = [:]
    /// Files that are right by themselves and wait for others: a policy for its tenant, say.
    private var waiting: [String: Candidate] = [:]

    /// Changes with everything that is taken, and with the time where that changes anything.
    private(set) var revision: UInt64 = 0

    /// Files in force with policies that expire, or have.
    private var expiring: Set<String> = []

    /// A file that is right by itself, as read and as found; both nil where it is gone.
    private struct Candidate: Sendable {
        let file: PolicyFile?
        let bytes: [UInt8]?
    }

    /// A file as it was found.
    enum Content: Sendable {
        case bytes([UInt8])
        /// Something that can't be read, with the reason and the mend.
        case unreadable(String, fix: String)
        case absent

        /// How much there is to read.
        var byteCount: Int { if case .bytes(let bytes) = self { bytes.count } else { 0 } }
    }

    /// Reads files by themselves, which takes most of the time that a change takes.
    ///
    /// - Parameter changes: What was found, by path.
    /// - Returns: What each says.
    static func read(_ changes: [String: Content]) -> [String: Reading] {
        let changes = changes.map { (path: $0.key, content: $0.value) }
        let readings = concurrently(changes.count) {
            Reading(changes[$0].content, changes[$0].path)
        }
        return Dictionary(zip(changes.map(\.path), readings)) { $1 }
    }

    /// Reads files that changed and takes them: see `take(read:at:)`.
    mutating func take(
        _ changes: [String: Content], at moment: Timestamp,
        refusals: (PolicySet, Set<String>) -> [String: [Diagnostic]] = { _, _ in [:] }
    ) -> [String: [UInt8]?] {
        take(read: Self.read(changes), at: moment, refusals: refusals)
    }

    /// Takes files that changed.
    ///
    /// - Parameters:
    ///   - readings: What each says, by path.
    ///   - moment: When it is; policies that have expired by then open nothing.
    ///   - refusals: What is wrong with some changed files in a set that is right otherwise, by path: they
    ///     may be too large. It names changed files only.
    /// - Returns: Those whose accepted content is another now, with the bytes that are in force, or nil
    ///   where nothing is any more.
    mutating func take(
        read readings: [String: Reading], at moment: Timestamp,
        refusals: (PolicySet, Set<String>) -> [String: [Diagnostic]] = { _, _ in [:] }
    ) -> [String: [UInt8]?] {
        revision += 1
        for (path, reading) in readings { take(reading, at: path) }
        conflicts = [:]
        var candidates = waiting
        while !candidates.isEmpty {
            do throws(PolicyErrors) {
                let next = try accepted.replacing(candidates.mapValues { $0.file?.at(moment) })
                let refused = refusals(next, Set(candidates.keys))
                guard refused.isEmpty else { throw PolicyErrors(refused.values.flatMap(\.self)) }
                accepted = next
                for path in candidates.keys { took(path) }
                return candidates.mapValues(\.bytes)
            } catch {
                let wrong = Dictionary(grouping: error.diagnostics, by: \.place.file)
                conflicts.merge(wrong) { $1 }
                let blamed = candidates.keys.filter { wrong[$0] != nil }
                // Where an unchanged file is wrong now, some change took away what it needs.
                if blamed.isEmpty {
                    return hold(candidates, breaking: wrong, at: moment, refusals)
                }
                for path in blamed { candidates[path] = nil }
            }
        }
        return [:]
    }

    private mutating func took(_ path: String) {
        waiting[path] = nil
        if accepted.files[path]?.expiries.isEmpty ?? true {
            expiring.remove(path)
        } else {
            expiring.insert(path)
        }
    }

    /// Follows the time; gives the files that mean something else at this moment.
    ///
    /// The time may have gone back, and then what had expired is in force again.
    mutating func follow(_ moment: Timestamp) -> Set<String> {
        var changes: [String: PolicyFile?] = [:]
        for path in expiring {
            guard let file = accepted.files[path] else { continue }
            let now = file.at(moment)
            if now != file { changes[path] = .some(now) }
        }
        guard !changes.isEmpty, let next = try? accepted.replacing(changes) else { return [] }
        accepted = next
        revision += 1
        return Set(changes.keys)
    }

    /// When a policy in force expires next; nil where none will.
    func nextExpiry(after moment: Timestamp) -> Timestamp? {
        expiring.lazy.flatMap { accepted.files[$0]?.expiries ?? [] }.filter { $0 > moment }.min()
    }

    /// Whether what is in force is what the files mean at a moment.
    func isUpToDate(at moment: Timestamp) -> Bool {
        expiring.allSatisfy { path in accepted.files[path].map { $0.at(moment) == $0 } ?? true }
    }

    /// When a policy in force expired last; nil where none has.
    func lastExpiry(upTo moment: Timestamp) -> Timestamp? {
        expiring.lazy.flatMap { accepted.files[$0]?.expiries ?? [] }.filter { $0 <= moment }.max()
    }

    /// Whether what is in force depends on the time.
    var dependsOnTime: Bool { !expiring.isEmpty }

    /// By path: why the directory as it is now is not in force.
    var errors: [String: [Diagnostic]] { mistakes.merging(conflicts) { $0 + $1 } }

    /// All mistakes, in the order of the files.
    var diagnostics: [Diagnostic] {
        errors.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// A file by itself.
    enum Reading: Sendable {
        case absent
        case right(PolicyFile, [UInt8])
        case wrong([Diagnostic])

        init(_ content: Content, _ path: String) {
            switch content {
            case .absent: self = .absent
            case .unreadable(let message, let fix):
                let place = SourcePlace(file: path, line: 1, column: 1)
                self = .wrong([Diagnostic(message, fix: fix, at: place)])
            case .bytes(let bytes):
                do throws(PolicyErrors) {
                    self = .right(try PolicyFile(parsing: bytes, path: path), bytes)
                } catch {
                    self = .wrong(error.diagnostics)
                }
            }
        }
    }

    private mutating func take(_ reading: Reading, at path: String) {
        mistakes[path] = nil
        waiting[path] = nil
        switch reading {
        case .absent:
            if accepted.files[path] != nil { waiting[path] = Candidate(file: nil, bytes: nil) }
        case .right(let file, let bytes):
            waiting[path] = Candidate(file: file, bytes: bytes)
        case .wrong(let diagnostics):
            mistakes[path] = diagnostics
        }
    }

    /// Takes the changes one by one, so that only those that break something are held.
    private mutating func hold(
        _ candidates: [String: Candidate], breaking wrong: [String: [Diagnostic]],
        at moment: Timestamp, _ refusals: (PolicySet, Set<String>) -> [String: [Diagnostic]]
    ) -> [String: [UInt8]?] {
        var changed: [String: [UInt8]?] = [:]
        for (path, candidate) in candidates.sorted(by: { $0.key < $1.key }) {
            guard let next = try? accepted.replacing([path: candidate.file?.at(moment)])
            else { continue }
            let refused = refusals(next, [path])
            guard refused.isEmpty else {
                conflicts.merge(refused) { $0 + $1 }
                continue
            }
            accepted = next
            took(path)
            changed[path] = .some(candidate.bytes)
        }
        return changed
    }
}
