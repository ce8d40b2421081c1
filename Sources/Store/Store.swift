internal import Dispatch
internal import GRDB
public import NetTypes
public import Reports
internal import Synchronization

/// History: what was refused, what came into force, and when, kept over restarts.
///
/// Recording never waits and never fails: rows gather in memory, and a queue of the store's own
/// writes them, many in one transaction. While the file can't be used they are kept in memory, and
/// `status` says why; the file is tried again from time to time.
public final class Store: Sendable {
    let options: StoreOptions
    let clock: @Sendable () -> Timestamp
    private let queue = DispatchQueue(label: "ringfence.history", qos: .utility)
    private let inbox: Mutex<Inbox>
    /// Only the queue takes it.
    private let keeper: Mutex<Keeper>
    private let isWaking = Mutex(false)
    private let lastCondition = Mutex(HistoryCondition())

    /// How often the file is looked at where nothing is recorded.
    private static let interval = 5.0
    /// How long others may write between two steps of pruning.
    private static let pause = 0.02

    /// Starts to keep history; the file is opened in the background.
    ///
    /// - Parameters:
    ///   - options: Where, how much and how long.
    ///   - clock: The time of day.
    ///   - log: Takes what a person should know: that the file can't be used, or can be again.
    public init(
        _ options: StoreOptions, clock: @escaping @Sendable () -> Timestamp,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.options = options
        self.clock = clock
        inbox = Mutex(Inbox(limit: options.pendingRows))
        keeper = Mutex(Keeper(options, log: log))
        queue.async { [weak self] in self?.work() }
        tick()
    }

    // MARK: Recording

    /// Keeps refused flows; one that is there already is told what grew.
    public func record(_ violations: [ViolationRecord]) { put { $0.take(violations) } }

    /// Keeps refused flows whose ends are tenants or addresses.
    public func record(_ violations: [Violation]) {
        record(violations.map { ViolationRecord($0) })
    }

    /// Adds counts to the totals of their hours.
    public func add(_ totals: [HourlyTotal]) { put { $0.take(totals) } }

    public func record(_ generation: GenerationRecord) { put { $0.take(generation) } }

    public func record(_ drift: DriftRecord) { put { $0.take(drift) } }

    /// Keeps the start of an agent, and with the same start and process, its end.
    public func record(_ run: AgentRun) { put { $0.take(run) } }

    private func put(_ take: (inout Inbox) -> Void) {
        let (isFirst, isCrowded) = inbox.withLock { inbox in
            take(&inbox)
            return (inbox.call(), inbox.callUrgently())
        }
        if isCrowded {
            queue.async { [weak self] in self?.work() }
        } else if isFirst {
            after(options.gathering.seconds) { $0.work() }
        }
    }

    // MARK: Writing

    /// Returns when everything that was recorded before is kept, and what is due is done.
    public func flush() async { await onQueue { $0.work() } }

    /// Writes what is left and lets go of the file; what is recorded later is lost.
    public func close() async {
        inbox.withLock { $0.close() }
        await onQueue { store in
            store.work()
            store.keeper.withLock { $0.close(at: store.clock()) }
        }
    }

    /// On the queue: takes everything that waits to the disk.
    private func work() {
        let isUnfinished = keeper.withLock { keeper in
            keeper.openIfDue(at: clock())
            keeper.write(inbox.withLock { $0.empty() }, at: clock())
            let isUnfinished = keeper.pruneIfDue(options, at: clock())
            let condition = HistoryCondition(
                bytes: keeper.bytes, isOnDisk: keeper.isOnDisk, lost: keeper.lost)
            lastCondition.withLock { $0 = condition }
            return isUnfinished
        }
        guard isUnfinished else { return }
        let isAlone = isWaking.withLock { isWaking in
            defer { isWaking = true }
            return !isWaking
        }
        guard isAlone else { return }
        after(Self.pause) { store in
            store.isWaking.withLock { $0 = false }
            store.work()
        }
    }

    private func tick() {
        after(Self.interval) { store in
            store.work()
            store.tick()
        }
    }

    private func after(_ seconds: Double, _ work: @escaping @Sendable (Store) -> Void) {
        queue.asyncAfter(deadline: .now() + seconds) { [weak self] in
            if let self { work(self) }
        }
    }

    private func onQueue<Answer: Sendable>(
        _ work: @escaping @Sendable (Store) -> Answer
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work(self)) }
        }
    }

    // MARK: Asking

    /// How history was when it was last written: this waits for no disk.
    public var condition: HistoryCondition {
        var condition = lastCondition.withLock { $0 }
        condition.lost += inbox.withLock { $0.lost }
        return condition
    }

    /// Where history is kept, and whether that works.
    public func status() async -> StoreStatus {
        let (reader, bytes, problem, lost) = await onQueue { store in
            store.work()
            return store.keeper.withLock { ($0.reader, $0.bytes, $0.problem, $0.lost) }
        }
        let rows = try? await reader?.read { try Schema.rows($0) }
        return StoreStatus(
            path: options.path, bytes: bytes, rows: rows ?? [:],
            problem: problem.map { "\($0)" },
            lost: lost + inbox.withLock { $0.lost })
    }

    /// Asks what is kept, with all that was recorded before.
    func reading<Answer: Sendable>(
        _ question: @escaping @Sendable (Database) throws -> Answer
    ) async throws(StoreError) -> Answer {
        let reader = await onQueue { store in
            store.work()
            return store.keeper.withLock { $0.reader }
        }
        guard let reader else {
            throw StoreError(.unusable, path: options.path, detail: "nothing is kept yet")
        }
        do {
            return try await reader.read(question)
        } catch {
            let error = StoreError(error, path: options.path)
            if error.kind == .damaged { await found(error, in: reader) }
            throw error
        }
    }

    /// Damage that shows while reading is no smaller than what shows while writing.
    private func found(_ damage: StoreError, in reader: any DatabaseReader) async {
        await onQueue { store in
            store.keeper.withLock { keeper in
                guard keeper.pool === reader else { return }
                keeper.failed(damage, at: store.clock())
            }
        }
    }
}
