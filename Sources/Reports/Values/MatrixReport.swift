public import NetTypes

/// Who may talk to whom, and who tried.
public struct MatrixReport: Hashable, Sendable, Codable {
    public var generation: UInt64
    public var at: Timestamp
    /// Every tenant by name; the host and the world are parties as well.
    public var tenants: [String]
    /// By source, then by destination.
    ///
    /// A pair that no rule speaks of and that never tried has none.
    public var cells: [MatrixCell]

    public init(generation: UInt64, at: Timestamp, tenants: [String], cells: [MatrixCell]) {
        self.generation = generation
        self.at = at
        self.tenants = tenants
        self.cells = cells
    }
}

/// One source and one destination.
public struct MatrixCell: Hashable, Sendable, Codable {
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// Some rule admits something.
        case allowed
        /// Something was refused within the last minute.
        case refusedNow
        /// No rule speaks of the pair, and something was refused earlier.
        case refusedBefore
    }

    public var source: PartyName
    public var destination: PartyName
    public var state: State
    /// How many rules admit something between the two.
    public var rules: Int
    public var refused: Tally
    public var lastRefused: Timestamp?

    public init(
        source: PartyName, destination: PartyName, rules: Int, refused: Tally,
        lastRefused: Timestamp?, at now: Timestamp
    ) {
        self.source = source
        self.destination = destination
        self.rules = rules
        self.refused = refused
        self.lastRefused = lastRefused
        let isRecent =
            lastRefused.map { $0.milliseconds >= now.milliseconds - Self.recently } ?? false
        state = isRecent ? .refusedNow : rules > 0 ? .allowed : .refusedBefore
    }

    /// How long a refusal is news, in milliseconds.
    static let recently: Int64 = 60_000
}
