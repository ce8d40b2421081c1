/// Which process each claimed number means: the one that had the number when the claim was first looked at.
///
/// A claim ends with its process. The number may pass to a stranger, before an agent looks again or while none runs,
/// and after the machine has started again it means a stranger in any case. A claim that has ended stays so until it
/// is taken away.
struct ProcessClaims: Hashable {
    /// What no later process of the same number has.
    struct Identity: Hashable, Codable {
        /// The kernel's `boot_id`.
        let boot: String
        /// When the process began, in clock ticks since that boot: field 22 of `/proc/PID/stat`.
        let start: UInt64
    }

    /// What became of a claim.
    private enum Meaning: Hashable {
        case process(Identity)
        case ended
    }

    private var meanings: [Int32: Meaning] = [:]
    /// Whether nothing is known of claims that were made before: none of them can be trusted.
    private var isLost = false

    /// Nothing was claimed yet.
    init() {}

    /// After what was kept is damaged: every claim has ended.
    static var lost: ProcessClaims {
        var claims = ProcessClaims()
        claims.isLost = true
        return claims
    }

    /// Whether the process that has a number is the one that was claimed; a new claim means it.
    mutating func admits(_ pid: Int32, _ found: Identity) -> Bool {
        switch meanings[pid] {
        case .process(let claimed) where claimed == found: return true
        case nil where !isLost:
            meanings[pid] = .process(found)
            return true
        default:
            meanings[pid] = .ended
            return false
        }
    }

    /// Notes that no process has the number, or another one.
    mutating func end(_ pid: Int32) { meanings[pid] = .ended }

    /// Forgets a claim: the next one of the number is new.
    mutating func forget(_ pid: Int32) { meanings[pid] = nil }

    /// Whether the claim of a number has ended.
    func hasEnded(_ pid: Int32) -> Bool { meanings[pid] == .ended }

    /// Forgets the claims that were taken away.
    mutating func keep(_ pids: some Sequence<Int32>) {
        let claimed = Set(pids)
        if isLost {
            // These are the claims that nothing is known of; later ones are new.
            for pid in claimed where meanings[pid] == nil { meanings[pid] = .ended }
            isLost = false
        }
        meanings = meanings.filter { claimed.contains($0.key) }
    }
}

/// As a list in the order of the numbers: equal claims have equal texts.
extension ProcessClaims: Codable {
    private struct Entry: Codable {
        let pid: Int32
        /// Nil where the claim has ended.
        let process: Identity?
    }

    init(from decoder: any Decoder) throws {
        for entry in try [Entry](from: decoder) {
            meanings[entry.pid] = entry.process.map { .process($0) } ?? .ended
        }
    }

    func encode(to encoder: any Encoder) throws {
        let entries = meanings.sorted { $0.key < $1.key }.map { pid, meaning in
            if case .process(let identity) = meaning {
                Entry(pid: pid, process: identity)
            } else {
                Entry(pid: pid, process: nil)
            }
        }
        try entries.encode(to: encoder)
    }
}
