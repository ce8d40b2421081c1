internal import CBPF
internal import Glibc
public import HostRules
internal import Linux
public import NetTypes
public import Rules

extension HostFilter {
    /// Brings the maps into what an endpoint's entries are to be.
    ///
    /// What is new comes first, what is gone goes last, and a rule's death is one write: between
    /// two steps a packet passes only if the old or the new entries admit it, and one that both
    /// admit always does.
    ///
    /// - Returns: What the rules that are gone had counted.
    /// - Throws: Where the maps are too small, `BPFError.need` says for what, and nothing has been
    ///   written. Otherwise what the kernel refused; the next call writes everything again.
    @discardableResult
    public func apply(
        _ wanted: HostEntries, to endpoint: NamespaceID
    ) throws(BPFError) -> [Mark: RuleCount] {
        let number = try number(of: endpoint)
        let before = held[number] ?? HostEntries()
        let isComplete = !incomplete.contains(number)
        guard wanted != before || !isComplete || isUncounted else { return [:] }
        let both = wanted.union(before)
        try requireRoom(for: both, at: number)
        isUncounted = true
        // Whatever happens on the way is found again: what may be there by what is held.
        incomplete.insert(number)
        hold(both, of: number)
        let ending = before.rules.subtracting(wanted.rules)
        do throws(BPFError) {
            // Nobody knows what stands at the interfaces after a change that was refused.
            if !isComplete { try setPosts(of: number, to: both.profile) }
            try add(wanted, to: isComplete ? before : HostEntries(), over: before, at: number)
            try remove(before, unless: wanted, at: number)
            owe(try retire(ending, at: number), at: number)
            hold(wanted, of: number)
            incomplete.remove(number)
            try renew()
            return owed.removeValue(forKey: number) ?? [:]
        } catch {
            // What is new may find no room; what is over is over all the same.
            try renew()
            owe(try retire(ending, at: number), at: number)
            try renew()
            throw error
        }
    }

    private func owe(_ counts: [Mark: RuleCount], at number: UInt32) {
        for (mark, count) in counts {
            owed[number, default: [:]][mark, default: RuleCount()] += count
        }
    }

    /// Writes what is new.
    ///
    /// - Parameters:
    ///   - wanted: What is to be there.
    ///   - before: What is there for sure.
    ///   - remains: What may be there.
    ///   - number: The endpoint's.
    /// - Throws: What the kernel refused.
    private func add(
        _ wanted: HostEntries, to before: HostEntries, over remains: HostEntries, at number: UInt32
    ) throws(BPFError) {
        // What the programs look for first is there before what they find then, and goes after it.
        let isOther = wanted.profile != before.profile || wanted.profile != remains.profile
        if isOther { try setPosts(of: number, to: wanted.union(remains).profile) }
        for mark in wanted.rules.subtracting(before.rules) { try enliven(mark, at: number) }
        for (key, mark) in wanted.admissions where before.admissions[key] != mark {
            guard let slot = slots[number]?[mark] else { continue }
            try maps.admissions.set(
                rf_admission(slot: slot, mark: mark.rawValue), for: .init(key, at: number))
        }
        for (key, shape) in wanted.shapes where before.shapes[key] != shape {
            try maps.shapes.set(shape | (remains.shapes[key] ?? 0), for: .init(key, at: number))
        }
        for (key, peerClass) in wanted.networks where before.networks[key] != peerClass {
            try maps.networks.set(peerClass.rawValue, for: .init(key, at: number))
        }
        for (key, peerClass) in wanted.peers where before.peers[key] != peerClass {
            try maps.peers.set(peerClass.rawValue, for: .init(key, at: number))
        }
        for address in wanted.own.subtracting(before.own) {
            try maps.own.set(
                Self.seconds,
                for: rf_own_key(endpoint: number, zero: 0, address: rf_address(address)))
        }
        if isOther { try setPosts(of: number, to: wanted.profile) }
    }

    private func remove(
        _ before: HostEntries, unless wanted: HostEntries, at number: UInt32
    ) throws(BPFError) {
        for address in before.own.subtracting(wanted.own) {
            try maps.own.remove(rf_own_key(endpoint: number, zero: 0, address: rf_address(address)))
        }
        for key in before.peers.keys where wanted.peers[key] == nil {
            try maps.peers.remove(.init(key, at: number))
        }
        for key in before.networks.keys where wanted.networks[key] == nil {
            try maps.networks.remove(.init(key, at: number))
        }
        for (key, shape) in before.shapes where wanted.shapes[key] != shape {
            if let shape = wanted.shapes[key] {
                try maps.shapes.set(shape, for: .init(key, at: number))
            } else {
                try maps.shapes.remove(.init(key, at: number))
            }
        }
        for key in before.admissions.keys where wanted.admissions[key] == nil {
            try maps.admissions.remove(.init(key, at: number))
        }
        // Before flows are ended: what the programs remember could open others.
        try renew()
        if !before.own.isSubset(of: wanted.own) {
            // So could a program that began before. Where the kernel can't wait for it (nohz_full), what
            // it opens in that moment goes on until it is idle or its rule goes.
            _ = cbpf_wait_for_programs()
            try forgetFlows(of: number, except: wanted.own)
        }
    }

    /// Gives a rule a slot and makes it live.
    private func enliven(_ mark: Mark, at number: UInt32) throws(BPFError) {
        guard slots[number]?[mark] == nil else { return }
        guard let slot = freeSlots.popLast() else {
            throw BPFError("find room for a rule", code: ENOSPC)
        }
        try maps.ruleCounts.setAll(rf_rule_count(), at: slot, processors: processors)
        try earlier.clearCount(at: slot)
        try maps.rules.set(UInt64(number) << 32 | UInt64(mark.rawValue), for: slot)
        slots[number, default: [:]][mark] = slot
    }

    /// Ends rules: in the same instant their flows lose their right to go on.
    private func retire(
        _ marks: Set<Mark>, at number: UInt32
    ) throws(BPFError) -> [Mark: RuleCount] {
        var counts: [Mark: RuleCount] = [:]
        let ending = marks.compactMap { mark in slots[number]?[mark].map { (mark, $0) } }
        for (_, slot) in ending { try maps.rules.set(0, for: slot) }
        for (mark, slot) in ending {
            counts[mark] = try count(at: slot)
            slots[number]?[mark] = nil
            freeSlots.append(slot)
        }
        return counts
    }

    /// Takes the entries of a number away that is nobody's.
    func discard(_ entries: HostEntries, of number: UInt32) throws(BPFError) {
        try remove(entries, unless: HostEntries(), at: number)
        _ = try retire(entries.rules, at: number)
        hold(nil, of: number)
        slots[number] = nil
    }

    /// Takes the flows of addresses away that an endpoint has no more.
    private func forgetFlows(of number: UInt32, except own: Set<IPAddress>) throws(BPFError) {
        try maps.flows.end { flow in
            flow.key.endpoint == UInt16(truncatingIfNeeded: number)
                && (flow.key.local.address.map { !own.contains($0) } ?? true)
        }
        for (key, _) in try maps.overflowFlows.entries()
        where key.endpoint == UInt16(truncatingIfNeeded: number) {
            if key.local.address.map({ !own.contains($0) }) ?? true {
                try maps.overflowFlows.remove(key)
            }
        }
    }

    /// Says which addresses belong to guarded endpoints: without the mark of their endpoint nobody
    /// may send from them.
    public func setLocals(_ wanted: [IPAddress: UInt32]) throws(BPFError) {
        guard wanted != locals || isUncounted else { return }
        try requireRoom(forLocals: wanted)
        isUncounted = true
        var failure: BPFError?
        for (address, number) in wanted where locals[address] != number {
            do throws(BPFError) {
                try maps.locals.set(number, for: rf_address(address))
                locals[address] = number
            } catch {
                failure = failure ?? error
            }
        }
        for address in locals.keys where wanted[address] == nil {
            do throws(BPFError) {
                try maps.locals.remove(rf_address(address))
                locals[address] = nil
            } catch {
                failure = failure ?? error
            }
        }
        try renew()
        if let failure { throw failure }
    }
}

extension HostEntries {
    /// All that stands in one of both, the newer where they differ.
    fileprivate func union(_ before: HostEntries) -> HostEntries {
        var all = before
        all.own.formUnion(own)
        all.peers.merge(peers) { $1 }
        all.networks.merge(networks) { $1 }
        all.shapes.merge(shapes) { $0 | $1 }
        all.admissions.merge(admissions) { $1 }
        all.rules.formUnion(rules)
        return all
    }
}
