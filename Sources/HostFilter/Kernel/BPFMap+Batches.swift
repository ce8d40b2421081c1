internal import CBPF
internal import Glibc
internal import Linux

/// Reading a hash by whole buckets, or many elements of an array: BPF_MAP_LOOKUP_BATCH of bpf(2).
extension BPFMap {
    /// ENOTSUPP of the kernel's linux/errno.h, which is nothing for user space.
    private static var isNotSupported: CInt { 524 }

    /// Every entry; nil for kinds of maps whose buckets can't be read one after the other.
    func batches() throws(BPFError) -> [(key: Key, value: Value)]? {
        guard isReadInBatches else { return nil }
        var entries: [(key: Key, value: Value)] = []
        var place: UInt32?
        // As many as one bucket may hold, which is not known before.
        var room = 256
        while true {
            let batch = try batch(from: place, room)
            switch batch.answer {
            case 0, -ENOENT: entries += batch.entries
            case -ENOSPC where room <= 2 * capacity:
                room *= 2
                continue
            case -EINVAL where place == nil, -Self.isNotSupported: return nil
            default: try checkBPF("read \(name)") { batch.answer }
            }
            if batch.answer == -ENOENT { return entries }
            place = batch.next
        }
    }

    /// Writes many entries: BPF_MAP_UPDATE_BATCH of bpf(2).
    ///
    /// - Parameter entries: Each key at most once.
    /// - Throws: What the kernel refused; some of the entries may be written then.
    func setAll(_ entries: [(key: Key, value: Value)]) throws(BPFError) {
        var rest = entries[...]
        while !rest.isEmpty {
            let keys = rest.prefix(4096).map(\.key)
            let values = rest.prefix(4096).map(\.value)
            var count = UInt32(keys.count)
            try checkBPF("write to \(name)") {
                bpf_map_update_batch(rawValue, keys, values, &count, nil)
            }
            rest = rest.dropFirst(keys.count)
        }
    }

    private struct Batch {
        let answer: CInt
        let next: UInt32
        var entries: [(key: Key, value: Value)] = []
    }

    /// Reads as many whole buckets as there is room for.
    private func batch(from place: UInt32?, _ room: Int) throws(BPFError) -> Batch {
        let (keySize, valueSize) = (MemoryLayout<Key>.size, MemoryLayout<Value>.size)
        let keys = UnsafeMutableRawBufferPointer.allocate(byteCount: room * keySize, alignment: 8)
        defer { keys.deallocate() }
        let values = UnsafeMutableRawBufferPointer.allocate(
            byteCount: room * valueSize, alignment: 8)
        defer { values.deallocate() }
        var (count, next, from) = (UInt32(room), UInt32(0), place ?? 0)
        let answer = withUnsafeMutablePointer(to: &from) { start in
            bpf_map_lookup_batch(
                rawValue, place == nil ? nil : UnsafeMutableRawPointer(start), &next,
                keys.baseAddress, values.baseAddress, &count, nil)
        }
        var batch = Batch(answer: answer, next: next)
        guard answer == 0 || answer == -ENOENT else { return batch }
        for index in 0..<Int(count) {
            batch.entries.append(
                (
                    keys.loadUnaligned(fromByteOffset: index * keySize, as: Key.self),
                    values.loadUnaligned(fromByteOffset: index * valueSize, as: Value.self)
                ))
        }
        return batch
    }
}
