internal import CBPF
internal import Glibc
public import HostRules
internal import Linux
internal import NetTypes
internal import Rules

/// Maps of another size, while packets flow.
///
/// The next set shares all maps but those that have to be larger or smaller. These are filled with the
/// same entries, so a packet is judged alike by programs over either set; flows, refused flows and
/// whatever else programs write stay in maps that both sets share. Then each program is replaced by one
/// over the next set, through its link or in the place of its filter: no packet meets no program.
extension HostFilter {
    /// Gives the maps other sizes.
    ///
    /// The calling thread has to be in the host namespace. Nothing else may change the maps meanwhile.
    ///
    /// - Parameter target: The sizes; never above `Capacity.most`, never too small for what the maps hold
    ///   or below the sizes that a small host begins with.
    /// - Throws: What the kernel refused. Where it refused to replace some programs, those run over the
    ///   former maps until `endGrowth` succeeds: see `unreplaced`.
    public func resize(to target: Capacity) throws(BPFError) {
        if isGrowing { try endGrowth() }
        let plan = Resizing(of: self, to: target)
        guard !plan.changed.isEmpty else { return }
        Pinned.removeFolder(sets.unfinished)
        try Pinned.prepare(root: configuration.root, folder: sets.unfinished)
        var migration: FlowMigration?
        do throws(BPFError) {
            let made = try load(plan)
            if plan.changed["flows"] != nil {
                try stopKeepingFlows()
                migration = FlowMigration(from: maps.flows, to: made.0.flows)
                try migration?.copyAll(into: self)
            }
            try fill(made.0, plan)
            let next = sets.next
            try Pinned.rename(sets.unfinished, to: next)
            folder = next
            (maps, programs) = made
        } catch {
            Pinned.removeFolder(sets.unfinished)
            try? keepFlows()
            throw error
        }
        try takeOver(plan)
        guard let migration else { return try endGrowth() }
        do throws(BPFError) {
            try endGrowth()
            try migration.copyChanged()
        } catch {
            try? keepFlows()
            throw error
        }
        try keepFlows()
    }

    private func load(_ plan: Resizing) throws(BPFError) -> (Maps, Programs) {
        guard var sizes = try Maps.pinnedSizes(in: folder) else {
            throw BPFError("read the sizes of the maps in \(folder)", code: ENOENT)
        }
        for name in sizes.keys where plan.changed[name] == nil {
            try Pinned.copy("\(folder)/\(name)", to: "\(sets.unfinished)/\(name)")
        }
        let isRecounted = plan.changed["rule_counts"] != nil
        try earlier.rules.handOn(to: sets.unfinished, isReplaced: isRecounted)
        try earlier.totals.handOn(
            to: sets.unfinished, isReplaced: plan.changed["totals"] != nil)
        if isRecounted {
            try Pinned.copy(folder + "/rules", to: sets.unfinished + "/before_rules")
        }
        sizes.merge(plan.changed) { $1 }
        return try Self.load(
            configuration, sizes, sets.unfinished, after: maps,
            hasOtherFlows: plan.changed["flows"] != nil)
    }

    /// Writes into maps of another size what those that they replace hold.
    private func fill(_ next: Maps, _ plan: Resizing) throws(BPFError) {
        func isChanged(_ name: String) -> Bool { plan.changed[name] != nil }
        if isChanged("endpoints") {
            try next.endpoints.setAll(
                maps.endpoints.entries().map { interface, endpoint in
                    var endpoint = endpoint
                    endpoint.refusal_budget = UInt32(next.refusalBudget)
                    return (interface, endpoint)
                })
        }
        if isChanged("own") { try next.own.setAll(maps.own.entries()) }
        if isChanged("locals") { try next.locals.setAll(maps.locals.entries()) }
        if isChanged("peers") { try next.peers.setAll(maps.peers.entries()) }
        if isChanged("networks") { try next.networks.setAll(maps.networks.entries()) }
        if isChanged("shapes") { try next.shapes.setAll(maps.shapes.entries()) }
        if isChanged("rules") { try next.rules.setAll(plan.liveRules) }
        guard isChanged("admissions") else { return }
        try next.admissions.setAll(
            maps.admissions.entries().map { key, admission in
                let slot = plan.moved[admission.slot] ?? admission.slot
                return (key, rf_admission(slot: slot, mark: admission.mark))
            })
    }

    /// Goes on with the next set, which is pinned by now.
    private func takeOver(_ plan: Resizing) throws(BPFError) {
        slots = plan.slots
        let taken = Set(slots.values.flatMap(\.values))
        freeSlots = (0..<UInt32(maps.rules.capacity)).reversed().filter { !taken.contains($0) }
        earlier = try EarlierCounts(folder, processors: processors)
        try findFormerSlots()
    }

    /// Whether programs over an earlier set may still run, or count.
    public var isGrowing: Bool { earlier.isPending || sets.hasEarlier }

    /// Replaces all programs over earlier sets, and takes these away.
    ///
    /// The calling thread has to be in the host namespace.
    ///
    /// - Throws: What the kernel refused; the next call goes on.
    public func endGrowth() throws(BPFError) {
        if isGrowing {
            unreplaced = replacePrograms()
            try renew()
            if let (interface, error) = unreplaced.min(by: { $0.key < $1.key }) {
                throw BPFError(
                    "replace the program of interface \(interface): \(error.operation)",
                    code: error.code)
            }
            try settleCounts()
        }
        removeOtherFolders()
    }

    private func settleCounts() throws(BPFError) {
        guard earlier.isPending else { return }
        // What was judged by an earlier program a moment ago is counted by now.
        try checkBPF("wait for programs that run") { cbpf_wait_for_programs() }
        try earlier.rules.settle(slots.values.flatMap(\.values), of: maps.rules.capacity)
        Pinned.remove(folder + "/before_rules")
        let reasons = 0..<UInt32(RF_REASONS.rawValue)
        let indices = (Array(numbers.values) + resting.keys).flatMap { number in
            reasons.map { number * UInt32(RF_REASONS.rawValue) + $0 }
        }
        try earlier.totals.settle(indices, of: maps.totals.capacity)
    }

    /// Finds where live rules stood in the former set: by what they are, since places may differ.
    func findFormerSlots() throws(BPFError) {
        guard earlier.rules.isPending, let pinned = try Pinned.open(folder + "/before_rules") else {
            return
        }
        let former: BPFMap<UInt32, UInt64> = try BPFMap("before_rules", owning: pinned.release())
        var indices: [UInt32: UInt32] = [:]
        for (slot, rule) in try former.entries() where rule != 0 {
            let mark = Mark(rawValue: UInt32(truncatingIfNeeded: rule))
            if let now = slots[UInt32(rule >> 32)]?[mark] { indices[now] = slot }
        }
        earlier.rules.formerIndex = indices
    }
}

/// What a resizing changes.
struct Resizing {
    /// The entries of each map that is made, by name.
    private(set) var changed: [String: Int]
    /// Where live rules are to stand, by the endpoint's number.
    private(set) var slots: [UInt32: [Mark: UInt32]]
    /// Where slots went that have no place any more.
    private(set) var moved: [UInt32: UInt32] = [:]

    /// - Parameters:
    ///   - filter: Whose maps they are.
    ///   - target: The sizes that are wanted.
    init(of filter: HostFilter, to target: Capacity) {
        let enough = target.union(filter.load).union(Capacity().withHeadroom).limited()
        let now = Maps.sizes(filter.capacity)
        changed = Maps.sizes(enough).filter { now[$0.key] != $0.value }
        (slots, moved) = Self.compact(filter.slots, to: enough.rules)
        // Admissions name slots.
        if !moved.isEmpty { changed["admissions"] = Maps.sizes(enough)["admissions"] }
    }

    /// Moves rules to free slots whose own are beyond a capacity.
    static func compact(
        _ slots: [UInt32: [Mark: UInt32]], to capacity: Int
    ) -> (slots: [UInt32: [Mark: UInt32]], moved: [UInt32: UInt32]) {
        let taken = Set(slots.values.flatMap(\.values))
        var free = (0..<UInt32(capacity)).lazy.filter { !taken.contains($0) }.makeIterator()
        var (compact, moved) = (slots, [UInt32: UInt32]())
        for (number, rules) in slots {
            for (mark, slot) in rules where slot >= capacity {
                guard let next = free.next() else { continue }
                compact[number]?[mark] = next
                moved[slot] = next
            }
        }
        return (compact, moved)
    }

    /// What stands in the slots of live rules.
    var liveRules: [(key: UInt32, value: UInt64)] {
        slots.flatMap { number, rules in
            rules.map { (key: $0.value, value: UInt64(number) << 32 | UInt64($0.key.rawValue)) }
        }
    }
}
