public import NetTypes
public import Policy
public import Verifier

/// What real packets found.
public struct ProbeResult: Hashable, Sendable, Codable {
    /// What the choice of cells began with, so that it can be made again.
    public var seed: UInt64
    /// How many packets a second were sent at most.
    public var rate: Int
    public var cells: [ProbeCell]
    /// Cells that could have been tried, and were not for want of count.
    public var left: Int

    public init(seed: UInt64, rate: Int, cells: [ProbeCell], left: Int) {
        self.seed = seed
        self.rate = rate
        self.cells = cells
        self.left = left
    }

    public var outcome: AuditOutcome { cells.map(\.outcome).max() ?? .notProven }
}

/// One packet that was tried, what had to come of it, and what did.
public struct ProbeCell: Hashable, Sendable, Codable {
    /// What the sender saw.
    public enum Answer: String, Hashable, Sendable, Codable {
        /// The other end answered: a SYN/ACK or a reset, an echo, a closed port.
        case answered
        /// Its own side refused to send.
        case refusedHere
        /// Nothing came back.
        case silent
        /// The packet could not be sent for another reason.
        case failed
    }

    /// What the counters of one endpoint's table saw of it.
    public enum Counted: String, Hashable, Sendable, Codable {
        case admitted
        case refused
        /// No counter moved: the packet was never there.
        case nothing
        /// The table could not be read.
        case unknown
    }

    public var source: PartyNamed
    public var destination: PartyNamed
    public var from: IPAddress
    public var to: IPAddress
    public var ipProtocol: IPProtocol
    public var port: UInt16
    /// Whether the policies admit it, and by which rules.
    public var isAllowed: Bool
    public var egress: RuleReference?
    public var ingress: RuleReference?
    public var answer: Answer
    public var atSource: Counted
    public var atDestination: Counted
    /// What went wrong, or why nothing can be said.
    public var remark: String?

    public init(
        source: PartyNamed, destination: PartyNamed, from: IPAddress, to: IPAddress,
        ipProtocol: IPProtocol, port: UInt16, isAllowed: Bool, egress: RuleReference?,
        ingress: RuleReference?, answer: Answer = .failed, atSource: Counted = .unknown,
        atDestination: Counted = .unknown, remark: String? = nil
    ) {
        self.source = source
        self.destination = destination
        self.from = from
        self.to = to
        self.ipProtocol = ipProtocol
        self.port = port
        self.isAllowed = isAllowed
        self.egress = egress
        self.ingress = ingress
        self.answer = answer
        self.atSource = atSource
        self.atDestination = atDestination
        self.remark = remark
    }

    /// Whether the packet got where it was sent, as far as can be told.
    public var arrived: Bool? {
        switch (answer, atDestination) {
        case (.answered, _), (_, .admitted): true
        case (.failed, _): nil
        case (_, .refused), (.refusedHere, _): false
        case (.silent, .nothing): false
        case (.silent, .unknown): nil
        }
    }

    /// Packets that the policies admit have to arrive, and others must not.
    ///
    /// What arrives has to be counted by the rules that admit it. What was admitted and is lost
    /// between two tables is the network's doing, which proves nothing.
    public var outcome: AuditOutcome {
        guard let arrived else { return .notProven }
        if arrived == isAllowed {
            let isUncounted = atSource == .nothing || atDestination == .nothing
            return isAllowed && isUncounted ? .violated : .proven
        }
        if isAllowed, atSource != .refused, atDestination == .nothing, answer == .silent {
            return .notProven
        }
        return .violated
    }

    /// `tcp 5432`, `icmp echo`.
    public var service: String {
        ipProtocol.isICMP ? "\(ipProtocol) echo" : "\(ipProtocol) \(port)"
    }
}
