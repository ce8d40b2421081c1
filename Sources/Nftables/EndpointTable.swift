internal import CNetfilter
internal import Glibc
internal import Linux
internal import NetTypes
public import Rules
internal import Synchronization

/// Our table in one namespace, and the socket that owns it.
///
/// As long as this value lives nobody else can change the table; when it goes, the table stays.
public struct EndpointTable: ~Copyable, Sendable {
    let commands: NetfilterSocket
    private let committed = Atomic<UInt64>(0)

    /// How many transactions were made on this socket.
    public var commits: UInt64 { committed.load(ordering: .relaxed) }

    /// The netlink port that the kernel names as the table's owner.
    public var port: UInt32 { commands.port }

    /// The socket that owns the table, for whoever keeps a copy of it.
    public var socket: CInt { commands.rawValue }

    /// Takes a socket that was opened inside the namespace.
    public init(_ commands: consuming NetfilterSocket) { self.commands = commands }

    /// What elements that went had counted when they went.
    public struct Retired: Sendable {
        public var rules: [Mark: RuleCount] = [:]
        public var refused: [RefusedFlow: Count] = [:]
        /// Flows that other rules had admitted before, by the mark that they carry now.
        public var rejudged: [Mark: UInt64] = [:]
        /// Why flows that rules had only taken over are still in their counts; nil where they are not.
        public var problem: NftablesError?

        public init() {}

        /// Adds what others counted.
        public static func += (sum: inout Retired, more: Retired) {
            for (mark, count) in more.rules { sum.rules[mark, default: RuleCount()] += count }
            for (flow, count) in more.refused { sum.refused[flow, default: .zero] += count }
            for (mark, flows) in more.rejudged { sum.rejudged[mark, default: 0] += flows }
            sum.problem = sum.problem ?? more.problem
        }
    }

    /// Is told what rules that went had counted, before the kernel's answer is taken from the
    /// socket; the digest tells the answer from others.
    public typealias Witness = (Retired, _ digest: UInt64) -> Void

    /// How the table is before a change.
    public enum Presence: Sendable {
        case absent
        /// It is there and has to be made anew.
        case damaged
        /// It is there, intact, and owned by nobody.
        case orphaned
        /// It is there, intact, and ours.
        case owned
    }

    /// Brings a change into force, in as few transactions as lose no packet.
    ///
    /// - Parameters:
    ///   - changes: What is to come into force.
    ///   - presence: How the table is now.
    ///   - isRepair: Whether what is there is made right in one transaction, though that may lose a packet: somebody
    ///     else's change is in force until then.
    ///   - ahead: Called right before each transaction in which rules go, with what goes and comes in
    ///     it: what is counted between this and the transaction is in the kernel's answer alone.
    ///   - witness: Called with what the kernel answered, before that is taken from the socket.
    /// - Returns: The final counters of the rules that went.
    /// - Throws: What the kernel refused; the table is left between the old state and the new one: read it
    ///   again.
    public func apply(
        _ changes: Changeset, presence: Presence, isRepair: Bool = false,
        ahead: (Changeset) -> Void = { _ in }, witness: Witness? = nil
    ) throws(NftablesError) -> Retired {
        switch presence {
        case .absent:
            // A repair too: it closes with the second transaction, and one alone would take no less time and lose
            // packets of flows that maps of ranges admit (`nft_pipapo_commit`).
            try create(with: changes)
            return Retired()
        // Somebody else's table of the name that holds nothing, refuses nothing either.
        case .damaged where try isEmpty():
            try create(with: changes, insteadOfAnother: true)
            return Retired()
        case .damaged:
            if !changes.rules.removed.isEmpty { ahead(changes) }
            return try replace(with: changes, witness)
        case .orphaned where isRepair, .owned where isRepair:
            if !changes.rules.removed.isEmpty { ahead(changes) }
            var batch = Batch()
            batch.addTable()
            batch.add(changes)
            var retired = try commit(batch, witness)
            settle(&retired)
            return retired
        case .orphaned: if try !isOwned() { try takeOver() }
        case .owned: break
        }
        var retired = Retired()
        for stage in changes.stages {
            if !stage.rules.removed.isEmpty { ahead(stage) }
            var batch = Batch()
            batch.add(stage)
            retired += try commit(batch, witness)
        }
        settle(&retired)
        return retired
    }

    /// Loads all policy before the first chain, so that the first packet is judged by all of it.
    ///
    /// A chain is hooked in before its rules are in force, so its policy comes last: until then
    /// the packet passes as it did without a table.
    private func create(
        with changes: Changeset, insteadOfAnother: Bool = false
    ) throws(NftablesError) {
        var policy = Batch()
        if insteadOfAnother { policy.deleteTable() }
        policy.addTable()
        policy.addSets()
        policy.add(changes)
        _ = try commit(policy)
        var chains = Batch()
        chains.addChains(policy: .accept)
        _ = try commit(chains)
        var closing = Batch()
        closing.setPolicies(.drop)
        _ = try commit(closing)
    }

    private func replace(
        with changes: Changeset, _ witness: Witness?
    ) throws(NftablesError) -> Retired {
        var batch = Batch()
        batch.deleteTable()
        batch.addTable()
        batch.addSets()
        batch.addChains(policy: .drop)
        batch.add(changes)
        return try commit(batch, witness)
    }

    /// Becomes the owner of an intact table that has none.
    public func takeOver() throws(NftablesError) {
        var batch = Batch()
        batch.addTable()
        _ = try commit(batch)
    }

    /// Takes the flows that retired rules only took over out of their counts; the change is in force,
    /// whether this comes off or not.
    private func settle(_ retired: inout Retired) {
        guard !retired.rules.isEmpty else { return }
        do throws(NftablesError) {
            try forgetRejudged(by: &retired)
        } catch {
            retired.problem = error
        }
    }

    private func forgetRejudged(by retired: inout Retired) throws(NftablesError) {
        let taken = try elements(of: Program.SetName.rejudged)
            .filter { retired.rules[$0.hostMark] != nil }
        guard !taken.isEmpty else { return }
        var batch = Batch()
        batch.forget(keys: taken.map { Array($0.key) }, of: Program.SetName.rejudged)
        for (mark, flows) in try commit(batch).rejudged {
            let admitted = retired.rules[mark]?.flows ?? 0
            retired.rules[mark]?.flows = admitted - min(admitted, flows)
        }
    }

    /// Removes the table: everything passes from then on.
    public func remove() throws(NftablesError) {
        var batch = Batch()
        batch.deleteTable()
        _ = try commit(batch)
    }

    /// Removes refused flows that have been read; gives what they had counted when they went.
    public func forget(_ flows: [RefusedFlow]) throws(NftablesError) -> Retired {
        var batch = Batch()
        let sets = Dictionary(
            grouping: flows, by: { $0.reason.setName($0.source.family == .v4 ? 4 : 6) })
        for (set, flows) in sets.sorted(by: { $0.key < $1.key }) {
            batch.forget(keys: flows.map(\.key), of: set)
        }
        guard batch.hasMessages else { return Retired() }
        return try commit(batch)
    }

    private func commit(
        _ batch: consuming Batch, _ witness: Witness? = nil
    ) throws(NftablesError) -> Retired {
        // What is left of an exchange that failed must not be taken for an answer to this one.
        try discardAnswers(witness)
        let last = try batch.send(on: commands)
        do throws(NftablesError) {
            return try answer(to: batch, last, witness)
        } catch {
            try discardAnswers(witness)
            throw error
        }
    }

    private func answer(
        to batch: borrowing Batch, _ last: UInt32, _ witness: Witness?
    ) throws(NftablesError) -> Retired {
        var retired = Retired()
        while true {
            guard let datagram = try nextAnswer(before: witness) else { throw .answerLost }
            for message in Message.all(in: datagram[...]) {
                if message.isDeletion { retired.credit(message) }
                guard let answer = Acknowledgement(message) else { continue }
                if answer.code != 0 {
                    throw .refused(
                        object: batch.object(of: message.sequence),
                        SystemError("nf_tables", on: Program.tableName, code: answer.code),
                        kernelText: answer.text)
                }
                if message.sequence == last {
                    committed.add(1, ordering: .relaxed)
                    return retired
                }
            }
        }
    }

    /// The next datagram of an answer; who is killed before the witness knows finds it again.
    private func nextAnswer(before witness: Witness?) throws(NftablesError) -> [UInt8]? {
        if let witness {
            guard let ahead = try nextAnswer(leaving: true) else { return nil }
            let retired = Retired(in: ahead)
            if !retired.rules.isEmpty { witness(retired, Self.digest(of: ahead)) }
        }
        return try nextAnswer(leaving: false)
    }

    /// The next datagram of an answer; the kernel has answered before `send` returns, so a long
    /// wait means that the answer was lost.
    private func nextAnswer(leaving stays: Bool) throws(NftablesError) -> [UInt8]? {
        do {
            if let datagram = try commands.receive(leaving: stays) { return datagram }
            guard try commands.wait(milliseconds: 1000) else { return nil }
            return try commands.receive(leaving: stays)
        } catch {
            if error.code == ENOBUFS { return nil }
            throw .socket(error)
        }
    }

    /// Empties the socket, so that the next exchange starts clean; what rules that went had counted
    /// is told all the same.
    private func discardAnswers(_ witness: Witness?) throws(NftablesError) {
        var overflows = 0
        while true {
            do throws(SystemError) {
                guard let datagram = try commands.receive() else { return }
                let retired = Retired(in: datagram)
                if !retired.rules.isEmpty { witness?(retired, Self.digest(of: datagram)) }
            } catch {
                overflows += 1
                guard error.code == ENOBUFS, overflows < NetfilterSocket.mostOverflows else {
                    throw .socket(error)
                }
            }
        }
    }
}
