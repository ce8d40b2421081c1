internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux

/// Maps of other versions or sizes, beside those that are in use.
extension HostFilter {
    /// Where other maps are pinned, the latest first.
    var otherFolders: [String] {
        Pinned.names(in: sets.home).filter { $0.hasPrefix("maps-") }.map { sets.home + "/" + $0 }
            .filter { $0 != folder }.reversed()
    }

    /// Takes the pins of other maps away; maps that a program uses stay as long as it does.
    func removeOtherFolders() {
        for folder in otherFolders { Pinned.removeFolder(folder) }
    }

    /// The numbers that endpoints have in some maps, by the inodes of their namespaces.
    static func numbers(in folder: String) throws(BPFError) -> [UInt64: UInt32] {
        guard let descriptor = try Pinned.open(folder + "/endpoints") else { return [:] }
        let entries = try RawEntries(descriptor)
        guard let number = MemoryLayout<rf_endpoint>.offset(of: \.number),
            let space = MemoryLayout<rf_endpoint>.offset(of: \.space)
        else { return [:] }
        var numbers: [UInt64: UInt32] = [:]
        for value in try entries.values() where value.count >= space + 8 {
            value.withUnsafeBytes { bytes in
                let key = bytes.loadUnaligned(fromByteOffset: space, as: UInt64.self)
                numbers[key] = bytes.loadUnaligned(fromByteOffset: number, as: UInt32.self)
            }
        }
        return numbers
    }
}

/// A hash whose values may have any size.
private struct RawEntries: ~Copyable {
    private let descriptor: Descriptor
    private let size: Int

    init(_ descriptor: consuming Descriptor) throws(BPFError) {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let raw = descriptor.rawValue
        try checkBPF("look at another version's map") {
            bpf_obj_get_info_by_fd(raw, &info, &size)
        }
        guard info.key_size == 4 else {
            throw BPFError("look at another version's map: keys of another size", code: EINVAL)
        }
        self.descriptor = descriptor
        self.size = Int(info.value_size)
    }

    func values() throws(BPFError) -> [[UInt8]] {
        var values: [[UInt8]] = []
        var (key, next) = (UInt32(0), UInt32(0))
        var answer = bpf_map_get_next_key(descriptor.rawValue, nil, &next)
        while answer == 0, values.count <= 1 << 18 {
            key = next
            var value = [UInt8](repeating: 0, count: size)
            if bpf_map_lookup_elem(descriptor.rawValue, &key, &value) == 0 { values.append(value) }
            answer = bpf_map_get_next_key(descriptor.rawValue, &key, &next)
        }
        return values
    }
}
