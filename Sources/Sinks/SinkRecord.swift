internal import NetTypes
internal import Reports

/// The kinds of events that sinks can be asked for.
public enum SinkEvent: String, Hashable, Sendable, CaseIterable {
    case violation
    case generation
    case drift
    /// What keeps policy files from being in force.
    case errors
}

/// One line of a sink: what happened, and when.
struct SinkRecord {
    /// RFC 5424, 6.2.1.
    enum Severity: Int {
        case error = 3
        case warning = 4
        case informational = 6
    }

    let at: Timestamp
    let event: AgentEvent

    /// Nil for what no sink is asked for: a sink counts its own losses.
    var kind: SinkEvent? {
        switch event {
        case .violation: .violation
        case .generation: .generation
        case .drift: .drift
        case .errors: .errors
        case .lost: nil
        }
    }

    init(_ event: AgentEvent, at: Timestamp) {
        self.at = at
        if case .generation(var record) = event {
            // The digests of all files would make it larger than any datagram; history has them.
            record.files = [:]
            self.event = .generation(record)
        } else {
            self.event = event
        }
    }

    /// The name in the JSON, and the MSGID of syslog.
    var name: String {
        kind?.rawValue ?? "lost"
    }

    var severity: Severity {
        switch event {
        case .errors(let errors): errors.isEmpty ? .informational : .error
        case .violation, .drift, .lost: .warning
        case .generation: .informational
        }
    }

    /// A line of JSON without its line feed; nil for what can't be written as JSON.
    var line: [UInt8]? {
        switch event {
        case .violation(let violation): encoded(violation)
        case .generation(let generation): encoded(generation)
        case .drift(let drift): encoded(drift)
        case .errors(let errors): encoded(["errors": errors])
        case .lost(let count): encoded(["lost": count])
        }
    }

    private struct Envelope<Record: Encodable>: Encodable {
        let at: Timestamp
        let event: String
        let record: Record
    }

    private func encoded(_ record: some Encodable) -> [UInt8]? {
        try? ReportJSON.line(Envelope(at: at, event: name, record: record))
    }
}
