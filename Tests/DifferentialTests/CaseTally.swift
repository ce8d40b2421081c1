import Rules
import TestSupport

/// How many packets of each kind all three have judged, and to which fates they came.
struct CaseTally: CustomStringConvertible {
    private(set) var cases = 0
    /// What was on the wire, each fragment by itself.
    private var frames = 0
    private var kinds: [Form.Kind: Int] = [:]
    /// By the reference, for the table and for the host filter.
    private var fates: [String: Int] = [:]

    mutating func note(_ items: [Case]) {
        for item in items {
            cases += 1
            frames += item.steps.count
            kinds[item.form.kind, default: 0] += 1
            for arrival in item.arrivals { fates["table \(arrival.fate.kind)", default: 0] += 1 }
            for step in item.steps { fates["host filter \(step.host.kind)", default: 0] += 1 }
        }
    }

    /// Whether no kind was left out.
    var hasMetAll: Bool { Form.Kind.allCases.allSatisfy { kinds[$0, default: 0] > 0 } }

    var description: String {
        let kinds = Form.Kind.allCases.map { "\(self.kinds[$0] ?? 0) \($0.rawValue)" }
        let fates = fates.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return "\(cases) packets: \(kinds.joined(separator: ", ")); \(frames) frames; "
            + fates.joined(separator: ", ")
    }
}

extension Fate {
    fileprivate var kind: String {
        switch self {
        case .admitted: "admitted"
        case .loopback: "loopback"
        case .refused(let reason): reason.rawValue
        }
    }
}

extension HostFate {
    fileprivate var kind: String {
        switch self {
        case .passes: "admitted"
        case .unseen: "loopback"
        case .refused(let reason): "\(reason)"
        }
    }
}
