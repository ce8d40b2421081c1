public import NetTypes

/// Kernel state that was not what the agent had written, or what others put beside it.
public struct DriftRecord: Hashable, Sendable, Codable {
    /// What was another than the agent had left it.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// The endpoint's own table.
        case ownTable
        /// Another table with a chain on a hook: it may accept, translate or mark what the own one judges.
        case otherTable
        /// Another table has no chain on a hook any more.
        case otherTableGone
        /// The programs of the host filter.
        case hostFilter
        /// Another program on a hook of the host filter.
        case otherProgram
        /// Another program is no longer there.
        case otherProgramGone
        /// The other end of an endpoint's veth.
        case link

        /// Whether it puts an end to earlier drift, so that there is nothing to repair.
        public var isEnd: Bool { self == .otherTableGone || self == .otherProgramGone }
    }

    /// Tells the record from others: one that comes again with it has grown.
    public var id: String?
    /// When it was heard of for the first time.
    public var found: Timestamp
    public var tenant: String?
    public var endpoint: String
    /// Nil in records of earlier versions.
    public var kind: Kind?
    /// What was different, in words.
    public var change: String
    /// Who did it, where the kernel tells: the name that the process had then.
    public var process: String?
    public var pid: Int32?
    /// Whose the process was when the agent looked it up, a moment after the change.
    ///
    /// The kernel's notice names the thread and bears no user. Nil also where the process was gone before that.
    public var user: UInt32?
    /// As whom the user had logged in, before any `sudo`.
    public var login: UInt32?
    public var isRepaired: Bool
    /// From the word of the change until it was repaired.
    public var repairMilliseconds: Double?
    /// How often it happened within the hour; nil is once.
    public var times: UInt64?
    /// When it happened last; nil where it was once.
    public var last: Timestamp?

    public init(
        id: String? = nil, found: Timestamp, tenant: String? = nil, endpoint: String,
        kind: Kind? = nil, change: String, process: String? = nil, pid: Int32? = nil,
        user: UInt32? = nil, login: UInt32? = nil, isRepaired: Bool,
        repairMilliseconds: Double? = nil, times: UInt64? = nil, last: Timestamp? = nil
    ) {
        self.id = id
        self.found = found
        self.tenant = tenant
        self.endpoint = endpoint
        self.kind = kind
        self.change = change
        self.process = process
        self.pid = pid
        self.user = user
        self.login = login
        self.isRepaired = isRepaired
        self.repairMilliseconds = repairMilliseconds
        self.times = times
        self.last = last
    }
}

/// Drift that was recorded, the latest last.
public struct DriftReport: Hashable, Sendable, Codable {
    public var drift: [DriftRecord]

    public init(drift: [DriftRecord]) { self.drift = drift }
}

/// Which drift is asked for.
public struct DriftQuestion: Hashable, Sendable {
    /// Only what went on since then.
    public var since: Timestamp?
    /// Only that of this tenant's endpoints.
    public var tenant: String?
    /// How many at most; the latest are taken.
    public var limit: Int

    public init(since: Timestamp? = nil, tenant: String? = nil, limit: Int = 1000) {
        self.since = since
        self.tenant = tenant
        self.limit = limit
    }

    /// Whether the record is asked for.
    public func matches(_ record: DriftRecord) -> Bool {
        (since.map { (record.last ?? record.found) >= $0 } ?? true)
            && (tenant.map { record.tenant == $0 } ?? true)
    }
}

/// One line of a stream of drift.
public enum StreamedDrift: Hashable, Sendable {
    case drift(DriftRecord)
    /// So many came faster than the reader took them, and are not in the stream.
    case lost(UInt64)
}

extension StreamedDrift: Codable {
    private enum CodingKeys: String, CodingKey {
        case lost
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let lost = try container.decodeIfPresent(UInt64.self, forKey: .lost) {
            self = .lost(lost)
        } else {
            self = .drift(try DriftRecord(from: decoder))
        }
    }

    /// A record as it is, or `{"lost":3}`.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .drift(let record): try record.encode(to: encoder)
        case .lost(let count):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(count, forKey: .lost)
        }
    }
}
