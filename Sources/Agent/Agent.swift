internal import Linux
public import Logging
internal import Compiler
internal import NetTypes
internal import Policy
public import Reports
internal import Rules

/// Keeps the kernel in the state that the policy files describe.
///
/// All state is confined to one thread, the event loop's. Nothing is written before policies and
/// namespaces have been read once in full; then every event leads to the smallest change.
public actor Agent {
    nonisolated let loop: EventLoop
    nonisolated let configuration: AgentConfiguration
    nonisolated let logger: Logger
    nonisolated let clock: @Sendable () -> Timestamp

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    // What comes in.
    var watcher: DirectoryWatcher
    var snapshot = PolicyDirectory.Snapshot()
    var inputs = PolicyInputs()
    /// Files that may still be written to, and when to look at them.
    var unsettled: [String: ContinuousClock.Instant] = [:]
    var source: NamespaceSource
    var tenures: [NamespaceID: Tenure] = [:]
    var idOfSlot: [UInt64: NamespaceID] = [:]
    var lastSlot: UInt64 = 0
    var observed: [NamespaceID: ObservedNamespace] = [:]
    var host: NamespaceID?
    /// Namespaces that could not be taken over, with the reason, and when to try again.
    var refusedEntries: [NamespaceID: String] = [:]
    var lookAgainAt: ContinuousClock.Instant?

    // What is wanted, and what the kernel holds.
    var compilation = Compilation(
        of: .empty,
        for: Topology(
            endpoints: [], host: AddressSet(), local: AddressSet(), conflicts: [], unknown: []))
    var holdings: [NamespaceID: Holding] = [:]
    var retryAt: ContinuousClock.Instant?

    // What was counted.
    var ledger: Ledger
    let ledgerFile: LedgerFile
    var ledgerError: String?
    var saveAt: ContinuousClock.Instant?
    /// When to give back what a large change needed and nothing needs any more.
    var trimAt: ContinuousClock.Instant?
    var watchedRefusals: [NamespaceID: ContinuousClock.Instant] = [:]
    /// Endpoints that were read a moment ago: their packet logs have to wait.
    var restingRefusals: [NamespaceID: ContinuousClock.Instant] = [:]
    var explanations: [ExplanationKey: Explanation] = [:]
    var streams: [UInt64: AsyncStream<Violation>.Continuation] = [:]
    var lost = LostEvents()

    var lastApply: ApplyStatus?
    let started: Timestamp
    var isReady = false

    /// Opens the watches; reads nothing yet.
    public init(
        _ configuration: AgentConfiguration, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        loop = try EventLoop()
        watcher = try DirectoryWatcher(PolicyDirectory(configuration.policies))
        source = try NamespaceSource(folders: configuration.namespaceFolders)
        started = clock()
        ledgerFile = LedgerFile(directory: configuration.stateDirectory)
        ledger = Ledger(since: started, violations: configuration.violations)
    }
}

/// What the kernel holds of an endpoint, as far as the agent knows.
struct Holding {
    var presence: TablePresence
    /// Nil when there is no table, or one that can't be kept.
    var state: EndpointState?
    /// The generation that the state came with.
    var generation: UInt64 = 0
    /// Why the last change did not come into force.
    var problem: String?
}
