internal import Reports

/// What waits for the disk: bounded, and what finds no room is counted.
struct Inbox: Sendable {
    private var batch = Batch()
    private(set) var lost: UInt64 = 0
    /// Whether somebody was told that there is something, and that it is much.
    private var isCalled = false
    private var isCalledUrgently = false
    private var isClosed = false
    private let limit: Int
    /// How many rows are worth a transaction of their own.
    private static let crowd = 1000

    init(limit: Int) { self.limit = limit }

    mutating func take(_ records: [ViolationRecord]) {
        for record in records {
            let key = ViolationKey(record.violation)
            guard batch.violations[key] != nil || hasRoom else { continue }
            batch.violations[key] = record
        }
    }

    mutating func take(_ totals: [HourlyTotal]) {
        for total in totals where batch.holds(total) || hasRoom { batch.add(total) }
    }

    mutating func take(_ generation: GenerationRecord) {
        guard hasRoom else { return }
        batch.generations.append(generation)
        if batch.generations.count > Batch.generationLimit {
            batch.generations.removeFirst()
            lost += 1
        }
    }

    mutating func take(_ drift: DriftRecord) {
        // Something that happens again and again waits once.
        if let id = drift.id, let place = batch.drift.lastIndex(where: { $0.id == id }) {
            batch.drift[place] = drift
            return
        }
        guard hasRoom else { return }
        batch.drift.append(drift)
    }

    mutating func take(_ run: AgentRun) {
        guard hasRoom else { return }
        batch.runs.append(run)
        if batch.runs.count > Batch.runLimit {
            batch.runs.removeFirst()
            lost += 1
        }
    }

    /// Whether a row finds room; counts it as lost if not.
    private var hasRoom: Bool {
        mutating get {
            if !isClosed, batch.rows < limit { return true }
            lost += 1
            return false
        }
    }

    /// Whether the writer has to be called; true once until it comes.
    mutating func call() -> Bool {
        guard !isCalled, !batch.isEmpty else { return false }
        isCalled = true
        return true
    }

    /// Whether the writer should come now, before more gathers; true once until it comes.
    mutating func callUrgently() -> Bool {
        guard !isCalledUrgently, batch.rows >= min(limit, Self.crowd) else { return false }
        isCalledUrgently = true
        return true
    }

    mutating func empty() -> Batch {
        defer { batch = Batch() }
        isCalled = false
        isCalledUrgently = false
        return batch
    }

    mutating func close() { isClosed = true }
}
