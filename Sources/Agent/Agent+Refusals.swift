internal import AgentCore
internal import Compiler
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
internal import Reports
internal import Rules

extension Agent {
    /// How long an endpoint that refused something is read again, and how often.
    private static let readingInterval = Duration.seconds(1)

    /// How long tables are read one after the other before the loop looks at what else has come.
    private static let longestReading = Duration.milliseconds(10)

    /// Flows that fill a set beyond this are taken out of it once they are read.
    private static let crowd = 128
    /// The same while the kernel is held up: to take them out is to wait for it.
    private static let throng = 768

    /// The packet log of a namespace has something.
    func refusalsLogged(_ slot: UInt64) {
        guard let id = idOfSlot[slot], let tenure = tenures[id] else { return }
        _ = drainLog(of: id, tenure)
        // A flood of refused packets must not hold up a change of policy.
        if refusalPolling.logged(id, at: .now) { readAtPace(id) }
    }

    /// Takes all messages of a packet log and gives their number; what was lost is counted.
    func drainLog(of id: NamespaceID, _ tenure: Tenure) -> Int {
        do throws(SystemError) {
            let news = try tenure.log?.refusals.drain()
            if news?.overflowed == true { metrics.lost.refusals += 1 }
            return news?.messages ?? 0
        } catch {
            logger.error("packet log of \(observed[id]?.name ?? "\(id)"): \(error)")
            return 0
        }
    }

    /// Reads again where something was refused lately: only so the last packet's time is known.
    func readDueRefusals() {
        // Not the time at which the turn began: what was done before in it must not use this up.
        let start = ContinuousClock.now
        // After a start there are all tables to look into; what is left is due at once, behind what
        // has come meanwhile.
        while ContinuousClock.now - start < Self.longestReading,
            let id = refusalPolling.takeDue(.now)
        {
            readAtPace(id)
        }
    }

    /// Reads because of packets, which somebody else can send as fast as they like; whoever asks
    /// over the API is not to slow down what is told at once.
    private func readAtPace(_ id: NamespaceID) {
        let start = ContinuousClock.now
        readRefusals(of: id)
        refusalPolling.charge(id, from: start, to: .now)
    }

    func readAllRefusals() {
        for id in holdings.keys { readRefusals(of: id) }
    }

    /// Takes what an endpoint's table has refused into the book.
    ///
    /// - Parameters:
    ///   - id: The endpoint.
    ///   - makesRoom: Whether a crowded set is emptied, for which other writes to the table wait.
    func readRefusals(of id: NamespaceID, makesRoom: Bool = true) {
        guard let tenure = tenures[id], holdings[id]?.state != nil else { return }
        guard isAtRest(id) else {
            refusalPolling.schedule(id, at: .now + Self.readingInterval)
            return
        }
        do throws(NftablesError) {
            // Where another program has the packet log, nothing but looking tells.
            if tenure.log == nil { refusalPolling.schedule(id, at: .now + Self.readingInterval) }
            let counts = try tenure.table.refusals()
            guard takeRefusals(counts, of: id) else { return }
            refusalPolling.schedule(id, at: .now + Self.readingInterval)
            if makesRoom, counts.refused.count > (isHeldUp ? Self.throng : Self.crowd) {
                forget(counts, of: id, tenure)
            }
        } catch {
            logger.error("refused flows of \(observed[id]?.name ?? "\(id)"): \(error)")
            refusalPolling.schedule(id, at: .now + Self.readingInterval)
        }
    }

    /// Makes room in the kernel; what was counted between reading and deleting comes with the echo.
    private func forget(_ counts: TableCounts, of id: NamespaceID, _ tenure: Tenure) {
        // There is room for many more, and another second to come.
        guard underWay == nil, !isStopping else { return }
        let flows = Array(counts.refused.keys)
        write(to: [id]) { _ in
            Result { () throws(NftablesError) in
                (try tenure.table.forget(flows).refused, try? tenure.table.generation())
            }
        } then: {
            $0.forgot($1, of: id, tenure)
        }
    }

    private func forgot(
        _ result: Result<([RefusedFlow: Count], RulesetGeneration?), NftablesError>,
        of id: NamespaceID, _ tenure: Tenure
    ) {
        // Its last counts are in its totals.
        guard tenures[id] === tenure else { return }
        do throws(NftablesError) {
            let (final, generation) = try result.get()
            holdings[id]?.ruleset = generation
            takeRefusals(TableCounts(refused: final), of: id)
            ledger.book.leave(final.keys.map { RefusalBook.Key(endpoint: id, flow: $0) })
            saveSoon()
            saveInHaste()
        } catch {
            logger.error("refused flows of \(observed[id]?.name ?? "\(id)"): \(error)")
        }
    }

    /// Takes a reading into the book and tells who listens; answers whether anything was new.
    @discardableResult
    func takeRefusals(_ counts: TableCounts, of id: NamespaceID) -> Bool {
        // None at all: flows alone were read.
        if !counts.totals.isEmpty, let name = endpointName(id) {
            let totals = counts.totals.occurred
            ledger.tables = ledger.tables ?? [:]
            ledger.tables?[id] =
                totals.isEmpty ? nil : TableTotals(endpoint: name, refused: totals)
        }
        var flows: [RefusalBook.Key: Count] = [:]
        for (flow, count) in counts.refused {
            flows[RefusalBook.Key(endpoint: id, flow: flow)] = count
        }
        return takeRefusals(flows)
    }

    /// Takes refused flows of either layer into the book.
    @discardableResult
    func takeRefusals(_ flows: [RefusalBook.Key: Count]) -> Bool {
        let before = ledger.book.packets
        // The book can't be looked into while it takes the reading.
        let isFull = ledger.book.totals.count >= 4096
        let new = ledger.book.take(flows, at: clock(), generation: ledger.generation) {
            attribution(of: $0, isBookFull: isFull)
        }
        guard ledger.book.packets != before else { return false }
        saveSoon()
        guard !streams.isEmpty || observer != nil else { return true }
        for key in new {
            guard let record = ledger.book.records[key] else { continue }
            tell(.violation(violation(record)))
        }
        return true
    }
}
