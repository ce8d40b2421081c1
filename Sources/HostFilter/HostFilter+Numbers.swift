internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
public import NetTypes
public import Rules

/// Which number stands for which endpoint: the marks of packets say it, and much of what is kept.
extension HostFilter {
    /// What an endpoint had counted that is gone.
    public struct Remains: Sendable {
        /// By its rules.
        public var rules: [Mark: RuleCount] = [:]
        /// Every packet that was refused at it, by reason.
        public var refused: [HostRefusal: Count] = [:]
        /// What was dropped there without anybody's being blamed.
        public var overheard: [HostOverheard: Count] = [:]
        /// The refused flows that were kept there or that it had sent, for the last time.
        public var flows: [HostRefusedFlow: Count] = [:]

        /// Nothing.
        public init() {}
    }

    /// The number of an endpoint; a new one if it has none yet.
    ///
    /// A number is not given again as long as anything with it is kept.
    ///
    /// - Throws: ENOSPC where there are more endpoints than numbers; `BPFError.need` says how many
    ///   the maps have to be made for, where the marks have room for more.
    public func number(of endpoint: NamespaceID) throws(BPFError) -> UInt32 {
        if let number = numbers[endpoint.inode] { return number }
        if freeNumber == nil { try endRestsAtOnce() }
        guard let number = freeNumber else {
            let count = numbers.count + resting.count + 1
            throw BPFError(
                "number endpoint \(endpoint): the maps hold \(highestNumber)", code: ENOSPC,
                need: count <= mostNumbers ? Capacity(endpoints: count) : nil)
        }
        numbers[endpoint.inode] = number
        return number
    }

    /// The number of an endpoint that has one.
    public func knownNumber(of endpoint: NamespaceID) -> UInt32? { numbers[endpoint.inode] }

    private var freeNumber: UInt32? {
        let used = Set(numbers.values)
        return (1...max(highestNumber, 1)).first { !used.contains($0) && resting[$0] == nil }
    }

    private var highestNumber: UInt32 {
        UInt32(min(maps.endpoints.capacity / 4, mostNumbers))
    }

    /// The highest number that an endpoint has, or that still rests.
    var highestUsedNumber: UInt32 {
        max(numbers.values.max() ?? 0, resting.keys.max() ?? 0)
    }

    /// How many endpoints the marks of packets tell apart.
    var mostNumbers: Int {
        let mask = configuration.identityMask
        return Int(mask >> UInt32(mask.trailingZeroBitCount))
    }

    /// Takes everything of an endpoint out of the maps.
    ///
    /// Its veth is closed from then on until another endpoint stands there or nobody does.
    ///
    /// - Returns: What it had counted.
    /// - Throws: What the kernel refused; the next call goes on.
    @discardableResult
    public func remove(_ endpoint: NamespaceID) throws(BPFError) -> Remains {
        guard let number = numbers[endpoint.inode] else { return Remains() }
        // Nothing is counted for it any more.
        for post in posts.values where post.number == number {
            try maps.endpoints.remove(UInt32(bitPattern: post.interface))
            posts[post.interface] = nil
        }
        try renew()
        var remains = Remains()
        remains.rules = try apply(HostEntries(), to: endpoint)
        remains.refused = try totals(of: endpoint)
        remains.overheard = try overheard(by: endpoint)
        hold(nil, of: number)
        incomplete.remove(number)
        owed[number] = nil
        slots[number] = nil
        numbers[endpoint.inode] = nil
        resting[number] = 0
        remains.flows = try clear([number])
        return remains
    }

    /// Takes away what is kept with numbers that are nobody's.
    ///
    /// - Returns: What their refused flows had counted.
    /// - Throws: What the kernel refused.
    @discardableResult
    private func clear(_ gone: Set<UInt32>) throws(BPFError) -> [HostRefusedFlow: Count] {
        func isGone(_ flow: rf_flow) -> Bool {
            gone.contains(UInt32(flow.key.endpoint)) || gone.contains(flow.remote)
        }
        try maps.flows.end(where: isGone)
        for (key, flow) in try maps.overflowFlows.entries() where isGone(flow) {
            try maps.overflowFlows.remove(key)
        }
        for key in try maps.fragments.keys() where gone.contains(key.endpoint) {
            try maps.fragments.remove(key)
        }
        return try takeRefusedFlows { gone.contains($0.endpoint) || gone.contains($0.sender) }
    }

    /// Gives numbers free with which nothing is kept any more.
    ///
    /// A packet that was on its way when its endpoint went may have left something: what a sweep finds
    /// goes, and one that finds nothing ends the rest.
    func endRests() throws(BPFError) {
        guard !resting.isEmpty else { return }
        let kept = try numbersInUse()
        let due = resting.filter { $0.value > 0 && !kept.contains($0.key) }
        for number in resting.keys { resting[number, default: 0] += 1 }
        try clear(kept.intersection(resting.keys))
        for number in due.keys { try endRest(of: number) }
    }

    private func endRestsAtOnce() throws(BPFError) {
        try clear(Set(resting.keys))
        try maps.flows.freeAll(free)
        let kept = try numbersInUse()
        for number in resting.keys where !kept.contains(number) { try endRest(of: number) }
    }

    private func endRest(of number: UInt32) throws(BPFError) {
        let reasons = HostRefusal.allCases.map(\.rawValue) + HostOverheard.allCases.map(\.rawValue)
        for reason in reasons {
            let index = Self.totalIndex(of: reason, at: number)
            try maps.totals.setAll(rf_count(), at: index, processors: processors)
            try earlier.clearTotal(at: index)
        }
        maps.shares.clearRates(of: number)
        resting[number] = nil
    }

    /// The numbers with which something is kept.
    private func numbersInUse() throws(BPFError) -> Set<UInt32> {
        var kept: Set<UInt32> = []
        func add(_ flow: rf_flow) {
            kept.insert(UInt32(flow.key.endpoint))
            kept.insert(flow.remote)
        }
        try maps.flows.forEach(add)
        for (_, flow) in try maps.overflowFlows.entries() { add(flow) }
        for key in try maps.refused.keys() {
            kept.insert(key.endpoint)
            kept.insert(key.sender)
        }
        for entries in held.values { kept.formUnion(entries.peers.keys.map(\.sender)) }
        return kept
    }

    /// Gives endpoints the numbers that they have in other maps: programs over those may stand at some
    /// veths until all are replaced, and each must know whom the other's marks mean.
    func adoptNumbers() {
        var used = Set(numbers.values)
        for folder in otherFolders {
            for (space, number) in (try? Self.numbers(in: folder)) ?? [:]
            where numbers[space] == nil && number <= highestNumber && used.insert(number).inserted {
                numbers[space] = number
            }
        }
    }

    /// What an earlier agent has left that belongs to nobody.
    func clearUnowned() throws(BPFError) {
        let owned = Set(numbers.values)
        let unowned = try Set(held.keys).union(slots.keys).union(numbersInUse())
            .subtracting(owned).filter { 1...highestNumber ~= $0 }
        for number in unowned {
            if let before = held[number] { try discard(before, of: number) }
            resting[number] = 0
        }
    }
}
