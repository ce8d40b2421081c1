internal import AgentCore
internal import Crypto
internal import Glibc
internal import Linux
internal import NetTypes
internal import Policy
public import Reports
internal import Store

extension Agent {
    /// Generations, lives of agents and drift, the latest first: so many of each at most.
    public func history(limit: Int) async throws -> HistoryReport {
        keepDrift()
        await store.flush()
        return try await store.history(limit: limit)
    }

    /// The recorded drift that is asked for, the latest last.
    public func drift(_ question: DriftQuestion) async throws -> DriftReport {
        keepDrift()
        await store.flush()
        return DriftReport(drift: try await store.drift(question))
    }

    /// The recorded violations that are asked for, the latest last; nil for a cursor that isn't one.
    public func violations(_ question: ViolationsQuestion) async throws -> ViolationsReport? {
        readAllRefusals()
        readHostRefusals()
        remember()
        await store.flush()
        do throws(StoreError) {
            let page = try await store.violations(ViolationQuery(question))
            return ViolationsReport(
                violations: page.violations.sorted { $0.last < $1.last },
                notRecorded: store.condition.lost, next: page.next)
        } catch {
            guard error.kind == .badCursor else { throw error }
            return nil
        }
    }

    /// Hands what is new of refused flows to the store.
    func remember() {
        let records = ledger.book.takeChanged()
        guard !records.isEmpty else { return }
        store.record(
            records.map { record in
                ViolationRecord(
                    violation(record), source: record.attribution.sourceParty,
                    destination: record.attribution.destinationParty)
            })
        store.add(hourlyTotals())
    }

    /// What was refused since the last time, by pair.
    private func hourlyTotals() -> [HourlyTotal] {
        let hour = clock()
        var told = ledger.told ?? [:]
        defer { ledger.told = told }
        return ledger.book.totals.compactMap { pair, tally in
            let more = tally.subtracting(told[pair] ?? Tally())
            guard more != Tally() else { return nil }
            told[pair] = tally
            return HourlyTotal(
                at: hour, source: pair.source, destination: pair.destination,
                direction: pair.direction, reason: pair.reason, counts: more)
        }
    }

    /// Notes which files are in force now, for the next generation.
    func noteFiles(_ changed: [String: [UInt8]?]) {
        for (path, bytes) in changed.sorted(by: { $0.key < $1.key }) {
            pending.note(path, digest: bytes.map { SHA256.hash(data: $0).hexadecimal })
        }
    }

    /// A generation is in force.
    func noteGeneration(_ apply: ApplyStatus, _ news: PendingGeneration.News) {
        let saved = news.changes.isEmpty ? nil : news.saved
        metrics.applied(apply, savedBefore: saved.map { ContinuousClock.now - $0 })
        let record = GenerationRecord(
            number: ledger.generation, applied: apply.finished,
            changedEndpoints: apply.changedEndpoints, readMilliseconds: apply.readMilliseconds,
            compileMilliseconds: apply.compileMilliseconds,
            applyMilliseconds: apply.applyMilliseconds, files: news.files, changes: news.changes,
            errors: inputs.diagnostics.map(\.description))
        store.record(record)
        tell(.generation(record))
    }
}

extension SHA256.Digest {
    var hexadecimal: String {
        reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}

extension ViolationQuery {
    fileprivate init(_ question: ViolationsQuestion) {
        self.init(
            tenant: question.tenant, source: question.source, destination: question.destination,
            reason: question.reason, since: question.since, until: question.until,
            limit: question.limit ?? 10_000, cursor: question.cursor)
    }
}

extension Tally {
    /// What came on top of an earlier reading.
    fileprivate func subtracting(_ earlier: Tally) -> Tally {
        Tally(
            packets: packets - min(packets, earlier.packets),
            bytes: bytes - min(bytes, earlier.bytes),
            flows: flows - min(flows, earlier.flows))
    }
}
