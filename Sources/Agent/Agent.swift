internal import AgentCore
internal import Linux
public import Logging
internal import Compiler
internal import HostFilter
internal import HostRules
public import NetTypes
internal import Policy
internal import Reports
internal import Rules
internal import Nftables
internal import Store
internal import Synchronization

/// Keeps the kernel in the state that the policy files describe.
///
/// All state is confined to one thread, the event loop's. Nothing is written before policies and
/// namespaces have been read once in full; then every event leads to the smallest change.
public actor Agent {
    nonisolated let loop: EventLoop
    nonisolated let configuration: AgentConfiguration
    nonisolated let logger: Logger
    nonisolated let clock: @Sendable () -> Timestamp
    nonisolated let observer: AgentObserver?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    // What comes in.
    var watcher: DirectoryWatcher
    var snapshot = PolicyDirectory.Snapshot()
    var inputs = PolicyInputs()
    /// Whether the directory is believed when files are gone, and which directory was read.
    var sight = DirectorySight()
    var directoryIdentity: PolicyDirectory.Identity?
    /// When a policy expires, or the clock is set.
    let alarm: Alarm
    /// Files that may still be written to, and when to look at them.
    var unsettled: [String: ContinuousClock.Instant] = [:]
    /// Which processes are claimed, as it is on disk.
    var keptClaims: ProcessClaims?
    /// Since when files are empty whose rules are still in force.
    var emptiedAt: [String: ContinuousClock.Instant] = [:]
    var source: NamespaceSource
    var tenures: [NamespaceID: Tenure] = [:]
    var idOfSlot: [UInt64: NamespaceID] = [:]
    var lastSlot: UInt64 = 0
    var observed: [NamespaceID: ObservedNamespace] = [:] { didSet { knownSurroundings = nil } }
    var host: NamespaceID? { didSet { knownSurroundings = nil } }
    var hostNamespace: HostNamespace?
    /// Namespaces that somebody said to be a tenant's.
    var announced: Announcements { didSet { knownSurroundings = nil } }
    /// A hash of these three; nil while nobody has asked since the last change.
    var knownSurroundings: String?
    /// How many namespaces the limit on open files leaves room for; nil before the start.
    var descriptors: DescriptorBudget?
    /// Namespaces that could not be taken over, with the reason, and when to try again.
    var refusedEntries: [NamespaceID: String] = [:]
    var lookAgainAt: ContinuousClock.Instant?
    /// When to see whether namespaces that were found through links are still there.
    var linksDue: ContinuousClock.Instant?
    /// How long the next pause is, while it goes on.
    var lookAgainPause = Agent.leastPause
    /// Namespaces whose addresses changed and could not be read.
    var unreadInterfaces: Set<NamespaceID> = []
    /// What could not be looked at, as it was last logged.
    var toldDoubts: [String: String] = [:]

    /// How often each of those who make the agent look at links and namespaces may do so.
    var callerPaces: [Caller: Pace] = [:]
    /// What nobody listens to for a while, by its token.
    var resting: [UInt64: Rest] = [:]
    /// How often each policy file may change things.
    var filePaces: [String: Pace] = [:]

    // What is wanted, and what the kernel holds.
    var compilation = Compilation(
        of: .empty,
        for: Topology(
            endpoints: [], host: AddressSet(), local: AddressSet(), conflicts: [], unknown: []))
    var holdings: [NamespaceID: Holding] = [:]
    var retryAt: ContinuousClock.Instant?
    nonisolated let writer = BackgroundWorker(label: "ringfence.tables")
    /// Closes newcomers and those that left, beside whatever the writer does.
    nonisolated let closer = BackgroundWorker(label: "ringfence.close")
    /// Reads and compiles large policies.
    nonisolated let compiler = BackgroundWorker(label: "ringfence.compile")
    var compileQueue = CompileQueue()
    /// Changes with each result that is taken.
    var compilationCount: UInt64 = 0
    /// Large files that are compiled after the compilation in flight.
    var waitingFiles: [LargeFiles] = []
    /// Namespaces that are being closed, and whether their wanted state changed meanwhile.
    var closing: [NamespaceID: Bool] = [:]
    /// What is being written while the loop goes on.
    var underWay: UnderWay?
    var departures: [NamespaceID: Departure] = [:]
    /// How often something came to its end that was under way.
    var concluded: UInt64 = 0
    /// Since when there has always been something under way.
    var behindSince: ContinuousClock.Instant?
    /// When that last took longer than the loop waits.
    var heldUpAt: ContinuousClock.Instant?
    /// What is not to be believed of what has just been written, and what of it was left out.
    var doubted: Set<NamespaceID> = []
    var skipped: Set<NamespaceID> = []
    var isStopping = false
    /// What somebody did to tables that are not mended yet, in words.
    var drift: [NamespaceID: OpenDrift] = [:]
    var driftBook: DriftBook
    /// When to tell what grew.
    var driftDue: ContinuousClock.Instant?
    /// What others have on hooks beside our tables.
    var otherTables: [NamespaceID: OtherTables] = [:]
    /// Namespaces whose other tables have to be looked at, and when.
    var unsurveyed: [NamespaceID: PendingSurvey] = [:]
    var surveyAt: ContinuousClock.Instant?

    // The host ends of the veths.
    /// Namespaces that several tenants claim: closed for all of them.
    var contested: Set<NamespaceID> = []
    /// Which of them stay closed although no endpoint is there any more.
    var guards: GuardRegister {
        get { ledger.guards ?? GuardRegister(boot: Checkpoint.boot) }
        set { ledger.guards = newValue }
    }
    var hostFilter: HostFilter?
    var hostFilterProblem: String?
    var senders: Senders?
    var posts: [Post: NamespaceID]?
    /// The host's interfaces as they were last told to a host filter.
    var hostLink: (filter: ObjectIdentifier, interfaces: [ObservedInterface])?
    var guarded: Set<NamespaceID> = []
    /// Link-layer addresses that namespaces have and may not use.
    var linkAddressConflicts: [ConflictStatus] = []
    /// Endpoints whose state the host filter has not taken yet.
    var unfollowed: Set<NamespaceID> = []
    /// Those of them that it refused.
    var notFollowed: [NamespaceID: NotFollowed] = [:]
    /// Since when its maps have been far too large.
    var oversizedSince: ContinuousClock.Instant?
    /// What guarded endpoints are called in counts, for when they are gone.
    var guardedNames: [NamespaceID: EndpointName] = [:]
    /// The generation that each endpoint is in where the host filter is the only layer.
    var outsideGenerations: [NamespaceID: UInt64] = [:]
    /// The rules that the host filter holds of each endpoint.
    var heldByHostFilter: [NamespaceID: RuleTable] = [:]
    var sweepAt: ContinuousClock.Instant?
    /// When to look whether the programs still stand.
    var guardsDue: ContinuousClock.Instant?
    var hostRefusalsDue: ContinuousClock.Instant?
    var hostRefusalsPace = Pace()

    // What was counted.
    var ledger: Ledger
    let ledgerFile: LedgerFile
    let acceptedFiles: AcceptedFiles
    let claimsFile: ProcessClaimsFile
    let checkpointFile: CheckpointFile
    nonisolated let journal: Journal
    /// Changes in the middle of which an agent was killed, until the kernel is read.
    var unfinished: [NamespaceID: Journal.Unfinished] = [:]
    nonisolated let keeper: SocketKeeper?
    let scribe: Scribe
    /// What was, for people who ask later.
    let store: Store
    /// Accepted files of the start, which are kept when the kernel is in order.
    var unkept: [String: [UInt8]?] = [:]
    var ledgerError: String?
    /// Kept state that was damaged, each with the policy file that it is a copy of.
    var damagedState: [(damage: Diagnostic, path: String?)] = []
    var saveAt: ContinuousClock.Instant?
    /// How often the ledger may be written in haste.
    var ledgerPace = Pace(factor: 4, least: .zero)
    /// When to write down what a later agent may compare, and since when that is outdated.
    var checkpointAt: ContinuousClock.Instant?
    var isOutdatedSince: ContinuousClock.Instant?
    /// When to give back what a large change needed and nothing needs any more.
    var trimAt: ContinuousClock.Instant?
    var watchedRefusals: [NamespaceID: ContinuousClock.Instant] = [:]
    /// How often each endpoint's packet log may lead to a reading.
    var refusalPaces: [NamespaceID: Pace] = [:]
    /// The same for all of them together: one caller can be refused everywhere.
    var allRefusalsPace = Pace(factor: 2, least: .zero)
    var explanations: [ExplanationKey: Explanation] = [:]
    /// Of the policies in force, for explanations; nil until one is asked for.
    var mentions: MentionIndex?
    /// Of the topology in force, for reports; nil until it is asked for.
    var owners: OwnerIndex?
    var retiredRules = RetiredRules()
    var streams: [UInt64: Listener] = [:]
    var lost = LostEvents()

    // What came into force, and how long that took.
    var digests: [String: String] = [:]
    var fileChanges: [FileChange] = []
    /// When the oldest change that is not in force yet was saved.
    var savedAt: ContinuousClock.Instant?
    var applyTimes = Histogram()
    var savedToEnforced = Histogram()
    var parseErrors: UInt64 = 0
    var driftRepairs: UInt64 = 0
    var driftCounts: [DriftRecord.Kind: UInt64] = [:]
    /// What was last told to be refused and in no pair: it never shrinks.
    var toldNotRecorded = Tally()

    var lastApply: ApplyStatus?
    let started: Timestamp
    var isReady = false
    /// Whether the kernel is known to hold what the files say, perhaps before `isReady`.
    nonisolated let reconciled = Atomic<Bool>(false)
    /// Tables that this start found as they were left, and so did not read.
    package internal(set) var resumedTables = 0

    /// Opens the watches; reads nothing yet.
    public init(
        _ configuration: AgentConfiguration, logger: Logger, keeper: SocketKeeper? = nil,
        observer: AgentObserver? = nil, clock: @escaping @Sendable () -> Timestamp
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.keeper = keeper
        self.observer = observer
        self.clock = clock
        loop = try EventLoop()
        alarm = try Alarm()
        watcher = try DirectoryWatcher(PolicyDirectory(configuration.policies))
        claimsFile = ProcessClaimsFile(directory: configuration.stateDirectory)
        let (claims, problem) = claimsFile.read()
        if let problem {
            logger.error("every claim of a process has ended: \(problem)")
        }
        source = try NamespaceSource(folders: configuration.namespaceFolders, claims: claims)
        started = clock()
        driftBook = DriftBook(series: String(started.milliseconds, radix: 36))
        ledgerFile = LedgerFile(directory: configuration.stateDirectory)
        announced = Announcements(directory: configuration.stateDirectory)
        journal = Journal(directory: configuration.stateDirectory)
        acceptedFiles = AcceptedFiles(
            directory: configuration.stateDirectory, policies: watcher.directory)
        store = Store(StoreOptions(directory: configuration.stateDirectory), clock: clock) {
            logger.warning("\($0)")
        }
        checkpointFile = CheckpointFile(directory: configuration.stateDirectory)
        scribe = Scribe(
            ledgerFile: ledgerFile, acceptedFiles: acceptedFiles, checkpointFile: checkpointFile)
        ledger = Ledger(since: started, violations: configuration.violations)
    }
}

/// What the kernel holds of an endpoint, as far as the agent knows.
struct Holding {
    var presence: TablePresence
    /// Nil when there is no table, or one that can't be kept.
    var state: EndpointState?
    /// Why it can't be kept, in words.
    var damage: String?
    /// The generation that the state came with.
    var generation: UInt64 = 0
    /// Why the last change did not come into force.
    var problem: String?
    /// Where the namespace's rulesets stood when the table was known to be so; nil where the
    /// kernel didn't tell.
    var ruleset: RulesetGeneration?
    /// Whether it is known only that the table is as an earlier agent left it, and not yet how.
    var isAsLeft = false
    /// Whether the kernel has to be asked before anything is concluded from this.
    var isDoubtful = false
}
