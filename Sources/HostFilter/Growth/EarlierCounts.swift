internal import CBPF
internal import Linux
internal import NetTypes
internal import Rules

/// What the counting maps of earlier sizes had counted.
struct EarlierCounts {
    let rules: EarlierCount<rf_rule_count>
    let totals: EarlierCount<rf_count>

    /// - Parameters:
    ///   - folder: Where the present maps are pinned.
    ///   - processors: How many values a per-CPU array has for each index.
    /// - Throws: What the kernel refused.
    init(_ folder: String, processors: Int) throws(BPFError) {
        rules = try EarlierCount("rule_counts", in: folder, processors: processors)
        totals = try EarlierCount("totals", in: folder, processors: processors)
    }

    /// Whether programs may still count in maps of an earlier size.
    var isPending: Bool { rules.isPending || totals.isPending }

    func count(at slot: UInt32) throws(BPFError) -> RuleCount {
        RuleCount(try rules.value(at: slot))
    }

    func total(at index: UInt32) throws(BPFError) -> Count { Count(try totals.value(at: index)) }

    func clearCount(at slot: UInt32) throws(BPFError) { try rules.clear(at: slot) }

    func clearTotal(at index: UInt32) throws(BPFError) { try totals.clear(at: index) }
}

/// A value that programs count in a per-CPU array.
protocol ProgramCount {
    init()
    static func + (left: Self, right: Self) -> Self
}

extension rf_rule_count: ProgramCount {
    static func + (left: Self, right: Self) -> Self {
        Self(
            packets: left.packets &+ right.packets, bytes: left.bytes &+ right.bytes,
            flows: left.flows &+ right.flows)
    }
}

extension rf_count: ProgramCount {
    static func + (left: Self, right: Self) -> Self {
        Self(packets: left.packets &+ right.packets, bytes: left.bytes &+ right.bytes)
    }
}

/// What one counting map's predecessors had counted.
///
/// A per-CPU array can't be added to while programs count in it. So the predecessor of a map stays
/// pinned beside it as `before_NAME` until no program uses it; then its sums go to an array that only
/// the agent writes, `carried_NAME`. As soon as that array is pinned, the predecessor doesn't count any
/// more: an agent that is killed before or after loses nothing and counts nothing twice.
final class EarlierCount<Value: ProgramCount & BitwiseCopyable> {
    private let name: String
    private let folder: String
    private let processors: Int
    private var carried: CountArray<Value>?
    private var before: CountArray<Value>?
    private var carriedBefore: CountArray<Value>?
    /// The predecessor's index of each present one; nil where all are the same.
    var formerIndex: [UInt32: UInt32]?
    /// Indices that were given to others since.
    private var cleared: Set<UInt32> = []

    init(_ name: String, in folder: String, processors: Int) throws(BPFError) {
        (self.name, self.folder, self.processors) = (name, folder, processors)
        carried = try CountArray(folder + "/carried_" + name)
        if carried == nil {
            before = try CountArray(folder + "/before_" + name)
            carriedBefore = try CountArray(folder + "/before_carried_" + name)
        } else {
            Self.dropPredecessors(of: name, in: folder)
        }
    }

    /// Whether programs may still count in the predecessor.
    var isPending: Bool { before != nil }

    /// Pins what the next set of maps needs to know of this one, which must not be pending.
    ///
    /// - Parameters:
    ///   - next: The folder of the next set.
    ///   - isReplaced: Whether the counting map itself is another one there.
    /// - Throws: What the kernel refused.
    func handOn(to next: String, isReplaced: Bool) throws(BPFError) {
        let prefix = isReplaced ? "/before_carried_" : "/carried_"
        if carried != nil { try Pinned.copy(folder + "/carried_" + name, to: next + prefix + name) }
        if isReplaced { try Pinned.copy(folder + "/" + name, to: next + "/before_" + name) }
    }

    func value(at index: UInt32) throws(BPFError) -> Value {
        if let carried { return try carried.value(at: index) }
        guard let before, !cleared.contains(index) else { return Value() }
        guard let former = formerIndex.map({ $0[index] }) ?? index else { return Value() }
        var sum = try carriedBefore?.value(at: former) ?? Value()
        for value in try before.values(at: former, processors) { sum = sum + value }
        return sum
    }

    /// Begins at zero again at an index.
    func clear(at index: UInt32) throws(BPFError) {
        if let carried { return try carried.clear(at: index) }
        if before != nil { cleared.insert(index) }
    }

    /// Carries over what the predecessor has counted; no program may use it any more.
    ///
    /// - Parameters:
    ///   - indices: Those that are in use.
    ///   - count: How many the present map has.
    /// - Throws: What the kernel refused; then everything is as before.
    func settle(_ indices: some Sequence<UInt32>, of count: Int) throws(BPFError) {
        guard isPending else { return }
        var sums: [(key: UInt32, value: Value)] = []
        for index in indices { sums.append((index, try value(at: index))) }
        let settled = try CountArray<Value>(making: count)
        try settled.setAll(sums)
        try settled.pin(at: folder + "/carried_" + name)
        carried = settled
        (before, carriedBefore, formerIndex, cleared) = (nil, nil, nil, [])
        Self.dropPredecessors(of: name, in: folder)
    }

    private static func dropPredecessors(of name: String, in folder: String) {
        for prefix in ["/before_", "/before_carried_"] { Pinned.remove(folder + prefix + name) }
    }
}

/// An array of counts, or a per-CPU one.
private final class CountArray<Value: ProgramCount & BitwiseCopyable> {
    private let map: BPFMap<UInt32, Value>

    /// Opens what is pinned; nil where nothing is.
    init?(_ path: String) throws(BPFError) {
        guard let descriptor = try Pinned.open(path) else { return nil }
        map = try BPFMap(path, owning: descriptor.release())
    }

    init(making count: Int) throws(BPFError) { map = try BPFMap(making: "carried", count: count) }

    func value(at index: UInt32) throws(BPFError) -> Value { try map.value(of: index) ?? Value() }

    func values(at index: UInt32, _ processors: Int) throws(BPFError) -> [Value] {
        guard index < map.capacity else { return [] }
        return try map.values(at: index, processors: processors)
    }

    func clear(at index: UInt32) throws(BPFError) {
        if index < map.capacity { try map.set(Value(), for: index) }
    }

    func setAll(_ values: [(key: UInt32, value: Value)]) throws(BPFError) {
        try map.setAll(values)
    }

    func pin(at path: String) throws(BPFError) { try map.pin(at: path) }
}
