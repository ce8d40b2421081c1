internal import CBPF
internal import Glibc
internal import Linux

/// The programs' table of flows: buckets of tags, and the places that the tags stand for.
///
/// Packets take places while the agent looks; it alone gives them back.
final class FlowTable {
    private let tags: BPFMap<UInt32, rf_tags>
    private let places: BPFMap<UInt32, rf_flow>
    let seeds: rf_seeds

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
    static func sizes(flows: Int) -> [(name: String, count: Int)] {
        [("flow_tags", buckets(flows: flows)), ("flows", 2 * flows), ("flow_seeds", 1)]
    }

    static func buckets(flows: Int) -> Int { 2 * flows / (wordsPerBucket * tagsPerWord) }

    private static var wordsPerBucket: Int { Int(RF_TAG_WORDS) }
    private static var tagsPerWord: Int { Int(RF_TAGS_PER_WORD) }

    /// Takes the flows away that answer to something.
    func removeAll(where isGone: (rf_flow) -> Bool) throws(BPFError) {
        try withWords { (words) throws(BPFError) in
            for index in words.indices {
                try remove(in: words, at: index, tagged: { $0 != RF_TAKEN }, where: isGone)
            }
        }
    }

    /// Takes one flow away; one that is not there is no error.
    func remove(_ key: rf_flow_key) throws(BPFError) {
        var (key, seeds) = (key, seeds)
        let hash = rf_hash(&seeds, &key)
        let first = Int(rf_bucket(hash, UInt32(tags.capacity - 1))) * Self.wordsPerBucket
        let tag = rf_tag(hash)
        try withWords { (words) throws(BPFError) in
            for index in first..<first + Self.wordsPerBucket {
                try remove(
                    in: words, at: index, tagged: { $0 == tag }, where: { $0.key.isSame(as: key) })
            }
        }
    }

    private func remove(
        in words: UnsafeMutableBufferPointer<UInt64>, at index: Int,
        tagged isWanted: (UInt64) -> Bool, where isGone: (rf_flow) -> Bool
    ) throws(BPFError) {
        guard let word = words.baseAddress.map({ $0 + index }) else { return }
        let tags = cbpf_tags(word)
        guard tags != 0 else { return }
        for lane in 0..<Self.tagsPerWord {
            let tag = tags >> UInt64(lane * Int(RF_TAG_BITS)) & 0xffff
            guard tag != 0, isWanted(tag),
                let flow = try places.value(of: UInt32(index * Self.tagsPerWord + lane)),
                isGone(flow)
            else { continue }
            cbpf_free_place(word, CInt(lane))
        }
    }

    /// All tags, where the programs have them.
    ///
    /// The memory counts as the agent's as long as it looks.
    private func withWords(
        _ body: (UnsafeMutableBufferPointer<UInt64>) throws(BPFError) -> Void
    ) throws(BPFError) {
        let size = tags.capacity * MemoryLayout<rf_tags>.size
        let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, tags.rawValue, 0)
        guard let start, start != MAP_FAILED else {
            throw BPFError("map the tags of flows", code: errno)
        }
        defer { munmap(start, size) }
        let count = tags.capacity * Self.wordsPerBucket
        try body(
            UnsafeMutableBufferPointer(
                start: start.bindMemory(to: UInt64.self, capacity: count), count: count))
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
    fileprivate func isSame(as other: rf_flow_key) -> Bool {
        withUnsafeBytes(of: self) { left in
            withUnsafeBytes(of: other) { right in left.elementsEqual(right) }
        }
    }
}
