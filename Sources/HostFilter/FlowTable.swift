internal import CBPF
internal import Glibc
internal import Linux

/// The programs' table of flows: buckets of tags, and the places that the tags stand for.
///
/// Packets take places while the agent looks; it alone gives them back, in two steps: a flow that is
/// over is not found any more, and its place is given back when no program can still write to it.
final class FlowTable {
    private let tags: BPFMap<UInt32, rf_tags>
    private let places: BPFMap<UInt32, rf_flow>
    let seeds: rf_seeds
    /// How many turns there were; flows that end between two of them bear a mark by it.
    private var epoch: UInt64 = 0

    /// How many flows there may be.
    ///
    /// There are twice as many places, so that hardly any bucket is ever full: one in 250 where the
    /// table is as full as it can be.
    var capacity: Int { places.capacity / 2 }

    init(
        tags: consuming BPFMap<UInt32, rf_tags>, places: consuming BPFMap<UInt32, rf_flow>,
        seeds: rf_seeds
    ) {
        self.tags = tags
        self.places = places
        self.seeds = seeds
    }

    /// The sizes of its maps.
    static func sizes(flows: Int) -> [String: Int] {
        ["flow_tags": buckets(flows: flows), "flows": 2 * flows, "flow_seeds": 1]
    }

    static func buckets(flows: Int) -> Int { 2 * flows / (wordsPerBucket * tagsPerWord) }

    private static var wordsPerBucket: Int { Int(RF_TAG_WORDS) }
    private static var tagsPerWord: Int { Int(RF_TAGS_PER_WORD) }

    /// Looks at every flow, those that are over and still have a place among them.
    func forEach(_ body: (rf_flow) -> Void) throws(BPFError) {
        try walk { flow, _ in
            body(flow)
            return nil
        }
    }

    /// Every flow that the programs would find: it stands in the bucket that its hash says, under its
    /// tag.
    func reachable() throws(BPFError) -> [rf_flow] {
        var flows: [rf_flow] = []
        var seeds = seeds
        let words = try Mapping(tags, as: UInt64.self, PROT_READ)
        for index in 0..<tags.capacity * Self.wordsPerBucket {
            let tags = cbpf_tags(words.start + index)
            for lane in 0..<Self.tagsPerWord where tags != 0 {
                let tag = tags >> UInt64(lane * Int(RF_TAG_BITS)) & 0xffff
                guard tag != 0, tag != RF_TAKEN,
                    var flow = try places.value(of: UInt32(index * Self.tagsPerWord + lane))
                else { continue }
                if bucket(of: flow.key) == index / Self.wordsPerBucket,
                    UInt64(rf_tag(rf_hash(&seeds, &flow.key))) == tag
                {
                    flows.append(flow)
                }
            }
        }
        return flows
    }

    /// Ends the flows that answer to something: nobody finds them any more.
    ///
    /// - Parameters:
    ///   - meet: Is told of every flow on the way, as `forEach` is.
    ///   - isOver: Which ones are over.
    /// - Throws: What the kernel refused.
    func end(
        meeting meet: (rf_flow) -> Void = { _ in }, where isOver: (rf_flow) -> Bool
    ) throws(BPFError) {
        try walk { flow, isGone in
            meet(flow)
            return !isGone && isOver(flow) ? goneTag : nil
        }
    }

    /// Ends one flow; one that is not there is no error.
    func end(_ key: rf_flow_key) throws(BPFError) {
        let first = bucket(of: key) * Self.wordsPerBucket
        try walk(first..<first + Self.wordsPerBucket) { flow, isGone in
            !isGone && flow.key.isSame(as: key) ? goneTag : nil
        }
    }

    /// Gives back the places of the flows that ended before the last turn: a program that found one
    /// has ended since.
    ///
    /// Turns are further apart than any packet takes.
    func turn(_ isFreed: (rf_flow) -> Void) throws(BPFError) {
        let tag = UInt64(RF_GONE) + (epoch + 1) % 2
        try free(isFreed) { $0 == tag }
        epoch += 1
    }

    /// Gives back the places of all flows that have ended.
    ///
    /// - Parameter isFreed: Is told of each.
    /// - Throws: What the kernel refused; where it can't wait for the programs that run, nothing is
    ///   done.
    func freeAll(_ isFreed: (rf_flow) -> Void) throws(BPFError) {
        try checkBPF("wait for programs that run") { cbpf_wait_for_programs() }
        try free(isFreed) { _ in true }
    }

    /// Which bucket a flow belongs to.
    func bucket(of key: rf_flow_key) -> Int {
        var (key, seeds) = (key, seeds)
        return Int(rf_bucket(rf_hash(&seeds, &key), UInt32(tags.capacity - 1)))
    }

    private var goneTag: UInt64 { UInt64(RF_GONE) + epoch % 2 }

    private func free(
        _ isFreed: (rf_flow) -> Void, tagged isDue: (UInt64) -> Bool
    ) throws(BPFError) {
        try walk { flow, tag, isGone in
            guard isGone, isDue(tag) else { return nil }
            isFreed(flow)
            return 0
        }
    }

    /// Every flow that is not over, by its place.
    func flows() throws(BPFError) -> [(place: UInt32, flow: rf_flow)] {
        var flows: [(place: UInt32, flow: rf_flow)] = []
        let words = try Mapping(tags, as: UInt64.self, PROT_READ)
        for index in 0..<tags.capacity * Self.wordsPerBucket {
            let tags = cbpf_tags(words.start + index)
            for lane in 0..<Self.tagsPerWord where tags != 0 {
                let tag = tags >> UInt64(lane * Int(RF_TAG_BITS)) & 0xffff
                let isOver = tag == RF_GONE || tag == RF_GONE + 1
                let place = UInt32(index * Self.tagsPerWord + lane)
                guard tag != 0, tag != RF_TAKEN, !isOver, let flow = try flow(at: place) else {
                    continue
                }
                flows.append((place, flow))
            }
        }
        return flows
    }

    /// What stands in a place.
    func flow(at place: UInt32) throws(BPFError) -> rf_flow? { try places.value(of: place) }

    func set(_ flow: rf_flow, at place: UInt32) throws(BPFError) {
        try places.set(flow, for: place)
    }

    /// Looks at the tags, which count as the agent's memory as long as it does.
    func withTags<Outcome>(
        _ body: (UnsafeMutablePointer<UInt64>) throws(BPFError) -> Outcome
    ) throws(BPFError) -> Outcome {
        let words = try Mapping(tags, as: UInt64.self, PROT_READ | PROT_WRITE)
        return try body(words.start)
    }

    /// Puts a flow into a table in which no program takes places meanwhile.
    ///
    /// - Parameters:
    ///   - flow: Not in the table yet.
    ///   - words: The tags.
    /// - Returns: Its place; nil where its bucket is full.
    /// - Throws: What the kernel refused.
    func insert(
        _ flow: rf_flow, _ words: UnsafeMutablePointer<UInt64>
    ) throws(BPFError) -> UInt32? {
        var (seeds, key) = (seeds, flow.key)
        let tag = UInt64(rf_tag(rf_hash(&seeds, &key)))
        let first = bucket(of: key) * Self.wordsPerBucket
        for index in first..<first + Self.wordsPerBucket {
            let tags = cbpf_tags(words + index)
            for lane in 0..<Self.tagsPerWord
            where tags >> UInt64(lane * Int(RF_TAG_BITS)) & 0xffff == 0 {
                let place = UInt32(index * Self.tagsPerWord + lane)
                try set(flow, at: place)
                cbpf_change_tag(words + index, CInt(lane), 0, tag)
                return place
            }
        }
        return nil
    }

    private func walk(
        _ range: Range<Int>? = nil, _ newTag: (rf_flow, _ isGone: Bool) -> UInt64?
    ) throws(BPFError) {
        try walk(range) { flow, _, isGone in newTag(flow, isGone) }
    }

    /// Looks at flows, and gives each the tag that the closure says.
    ///
    /// The tags' memory counts as the agent's as long as it looks.
    private func walk(
        _ range: Range<Int>? = nil, _ newTag: (rf_flow, _ tag: UInt64, _ isGone: Bool) -> UInt64?
    ) throws(BPFError) {
        let words = try Mapping(tags, as: UInt64.self, PROT_READ | PROT_WRITE)
        for index in range ?? 0..<tags.capacity * Self.wordsPerBucket {
            let (word, first) = (words.start + index, index * Self.tagsPerWord)
            let tags = cbpf_tags(word)
            guard tags != 0 else { continue }
            for lane in 0..<Self.tagsPerWord {
                let tag = tags >> UInt64(lane * Int(RF_TAG_BITS)) & 0xffff
                guard tag != 0, tag != RF_TAKEN else { continue }
                let isGone = tag == RF_GONE || tag == RF_GONE + 1
                // Places are not mapped: that takes longer than to read those that are used.
                guard let flow = try places.value(of: UInt32(first + lane)) else { continue }
                if let next = newTag(flow, tag, isGone) {
                    cbpf_change_tag(word, CInt(lane), tag, next)
                }
            }
        }
    }
}

extension rf_seeds {
    /// Nobody's guess.
    static var random: rf_seeds {
        var (seeds, generator) = (rf_seeds(), SystemRandomNumberGenerator())
        withUnsafeMutableBytes(of: &seeds) { bytes in
            for index in bytes.indices { bytes[index] = .random(in: 0...255, using: &generator) }
        }
        return seeds
    }

    var isUnset: Bool { withUnsafeBytes(of: self) { $0.allSatisfy { $0 == 0 } } }
}

extension rf_flow_key {
    func isSame(as other: rf_flow_key) -> Bool {
        withUnsafeBytes(of: self) { left in
            withUnsafeBytes(of: other) { right in left.elementsEqual(right) }
        }
    }
}

extension rf_flow {
    func isSame(as other: rf_flow) -> Bool {
        withUnsafeBytes(of: self) { left in
            withUnsafeBytes(of: other) { right in left.elementsEqual(right) }
        }
    }
}
