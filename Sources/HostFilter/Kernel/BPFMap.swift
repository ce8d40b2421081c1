internal import CBPF
internal import Glibc
internal import Linux

/// A map of the kernel whose keys and values are plain structures.
///
/// The calls are those of bpf(2), by way of libbpf.
struct BPFMap<Key: BitwiseCopyable, Value: BitwiseCopyable>: ~Copyable {
    let name: String
    private let descriptor: Descriptor
    /// How many entries there may be.
    let capacity: Int
    /// Whether the kernel reads many entries at once.
    let isReadInBatches: Bool

    /// Takes a descriptor over.
    ///
    /// - Throws: EINVAL for a map whose keys or values have another size.
    init(_ name: String, owning raw: CInt) throws(BPFError) {
        self.name = name
        descriptor = Descriptor(owning: raw)
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try checkBPF("look at map \(name)") {
            bpf_obj_get_info_by_fd(raw, &info, &size)
        }
        guard Int(info.key_size) == MemoryLayout<Key>.size,
            Int(info.value_size) == MemoryLayout<Value>.size
        else { throw BPFError("map \(name): keys or values of another size", code: EINVAL) }
        capacity = Int(info.max_entries)
        isReadInBatches = [BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_ARRAY]
            .contains { info.type == $0.rawValue }
    }

    /// Makes an array that no program uses.
    ///
    /// - Parameters:
    ///   - name: At most 15 bytes.
    ///   - count: How many elements it has, all zero.
    /// - Throws: What the kernel refused.
    init(making name: String, count: Int) throws(BPFError) where Key == UInt32 {
        let raw = try checkBPF("make map \(name)") {
            bpf_map_create(
                BPF_MAP_TYPE_ARRAY, name, UInt32(MemoryLayout<Key>.size),
                UInt32(MemoryLayout<Value>.size), UInt32(clamping: count), nil)
        }
        try self.init(name, owning: raw)
    }

    var rawValue: CInt { descriptor.rawValue }

    func pin(at path: String) throws(BPFError) { try Pinned.pin(descriptor, at: path) }

    func value(of key: Key) throws(BPFError) -> Value? {
        var key = key
        return try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) {
            (buffer) throws(BPFError) in
            guard let start = buffer.baseAddress else { return nil }
            let answer = bpf_map_lookup_elem(descriptor.rawValue, &key, start)
            if answer == -ENOENT { return nil }
            try checkBPF("look up in \(name)") { answer }
            return start.pointee
        }
    }

    func set(_ value: Value, for key: Key) throws(BPFError) {
        var (key, value) = (key, value)
        try checkBPF("write to \(name)") {
            bpf_map_update_elem(descriptor.rawValue, &key, &value, UInt64(BPF_ANY))
        }
    }

    /// Takes an entry away; one that is not there is no error.
    func remove(_ key: Key) throws(BPFError) {
        var key = key
        let answer = bpf_map_delete_elem(descriptor.rawValue, &key)
        if answer != -ENOENT { try checkBPF("delete from \(name)") { answer } }
    }

    /// Takes an entry away in the moment in which it is read.
    func take(_ key: Key) throws(BPFError) -> Value? {
        var key = key
        return try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) {
            (buffer) throws(BPFError) in
            guard let start = buffer.baseAddress else { return nil }
            let answer = bpf_map_lookup_and_delete_elem(descriptor.rawValue, &key, start)
            if answer == -ENOENT { return nil }
            try checkBPF("take from \(name)") { answer }
            return start.pointee
        }
    }

    /// Every entry of a hash or a trie; those that come or go meanwhile may be missing.
    ///
    /// A hash is read bucket by bucket, so that an entry which goes doesn't end the walk. A trie is
    /// walked from key to key: only the agent changes one.
    func entries() throws(BPFError) -> [(key: Key, value: Value)] {
        if let entries = try batches() { return entries }
        var entries: [(key: Key, value: Value)] = []
        for key in try keys() {
            if let value = try value(of: key) { entries.append((key, value)) }
        }
        return entries
    }

    /// Every key of a hash or a trie.
    func keys() throws(BPFError) -> [Key] {
        var keys: [Key] = []
        try withUnsafeTemporaryAllocation(of: Key.self, capacity: 2) { (buffer) throws(BPFError) in
            guard let last = buffer.baseAddress else { return }
            let next = last + 1
            var answer = bpf_map_get_next_key(descriptor.rawValue, nil, next)
            // An entry that goes while it is the place to go on from sends us to the start again.
            while answer == 0, keys.count <= capacity {
                keys.append(next.pointee)
                last.pointee = next.pointee
                answer = bpf_map_get_next_key(descriptor.rawValue, last, next)
            }
            if answer != 0, answer != -ENOENT { try checkBPF("walk through \(name)") { answer } }
        }
        return keys
    }
}

/// Values of an array that has one for each processor.
extension BPFMap where Key == UInt32 {
    /// Bytes that a value takes in the kernel's answer: libbpf rounds up to 8.
    private static var stride: Int { (MemoryLayout<Value>.size + 7) & ~7 }

    /// The value on each processor.
    func values(at index: UInt32, processors: Int) throws(BPFError) -> [Value] {
        var index = index
        return try withUnsafeTemporaryAllocation(
            byteCount: Self.stride * processors, alignment: 8
        ) { (buffer) throws(BPFError) in
            try checkBPF("look up in \(name)") {
                bpf_map_lookup_elem(descriptor.rawValue, &index, buffer.baseAddress)
            }
            return (0..<processors).map {
                buffer.loadUnaligned(fromByteOffset: $0 * Self.stride, as: Value.self)
            }
        }
    }

    /// The values that were the same when they were read a second time: programs may write them
    /// meanwhile, and the kernel copies them word by word.
    func steadyValues(at index: UInt32, processors: Int) throws(BPFError) -> [Value] {
        let first = try values(at: index, processors: processors)
        let second = try values(at: index, processors: processors)
        return zip(first, second).compactMap { left, right in
            withUnsafeBytes(of: left) { left in
                withUnsafeBytes(of: right) { left.elementsEqual($0) }
            } ? left : nil
        }
    }

    /// One value for all processors.
    func setAll(_ value: Value, at index: UInt32, processors: Int) throws(BPFError) {
        var index = index
        try withUnsafeTemporaryAllocation(
            byteCount: Self.stride * processors, alignment: 8
        ) { (buffer) throws(BPFError) in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            for processor in 0..<processors {
                buffer.storeBytes(of: value, toByteOffset: processor * Self.stride, as: Value.self)
            }
            try checkBPF("write to \(name)") {
                bpf_map_update_elem(
                    descriptor.rawValue, &index, buffer.baseAddress, UInt64(BPF_ANY))
            }
        }
    }
}
