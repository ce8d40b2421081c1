internal import CBPF
internal import Linux
internal import Verifier

/// What the kernel tells of a program to whoever wants to compare it.
enum ProgramReading {
    /// A program's maps by their ids.
    struct UsedMaps {
        /// By name, those that are pinned.
        var ids: [String: UInt32] = [:]
        /// What is fixed when the program is loaded.
        var settings: UInt32?
        /// What the compiler has put aside.
        var constants: UInt32?

        init(_ all: Set<UInt32>) throws(BPFError) {
            for id in all {
                let name = try MapReading.name(of: id)
                // The kernel cuts names off after 15 characters.
                if name == ".rodata.setting" {
                    settings = id
                } else if name.contains(".rodata") {
                    constants = id
                } else {
                    ids[name] = id
                }
            }
        }
    }

    /// A program that is attached; nil if it is gone.
    static func program(_ id: UInt32) throws(BPFError) -> HostProgram? {
        let raw = bpf_prog_get_fd_by_id(id)
        if raw == -2 { return nil }
        return try program(
            Descriptor(owning: try checkBPF("open program \(id)") { raw }))
    }

    static func program(_ descriptor: borrowing Descriptor) throws(BPFError) -> HostProgram {
        let info = try ProgramInfo(descriptor)
        let used = try UsedMaps(info.maps)
        let settings = try used.settings.flatMap { (id) throws(BPFError) in
            try MapReading.settings(id)
        }
        return HostProgram(
            name: info.name,
            tag: info.tag.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
            maps: used.ids,
            instructions: try instructions(
                descriptor, Set([used.settings, used.constants].compactMap(\.self))),
            constants: try used.constants.map { (id) throws(BPFError) in
                try MapReading.bytes(of: id)
            } ?? [], settings: settings.map { HostSettings($0) })
    }

    /// The instructions as the kernel shows them, with ids of maps in the place of addresses.
    ///
    /// They are translated. Each loading makes its own maps of what is fixed: which they are is left out,
    /// and what they hold is compared by itself.
    private static func instructions(
        _ descriptor: borrowing Descriptor, _ fixed: Set<UInt32>
    ) throws(BPFError) -> [UInt64] {
        let raw = descriptor.rawValue
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try checkBPF("look at a program") { bpf_obj_get_info_by_fd(raw, &info, &size) }
        var words = [UInt64](repeating: 0, count: Int(info.xlated_prog_len) / 8)
        guard !words.isEmpty else { return [] }
        let shown = try words.withUnsafeMutableBufferPointer { (buffer) throws(BPFError) in
            var info = bpf_prog_info()
            info.xlated_prog_insns = UInt64(UInt(bitPattern: buffer.baseAddress))
            info.xlated_prog_len = UInt32(8 * buffer.count)
            var size = UInt32(MemoryLayout<bpf_prog_info>.size)
            try checkBPF("read a program") { bpf_obj_get_info_by_fd(raw, &info, &size) }
            return info.xlated_prog_insns != 0
        }
        guard shown else { return [] }
        return words.map { word in
            let parts = Instruction(word)
            return parts.isMapValue && fixed.contains(parts.immediate)
                ? word & UInt64(0xffff_ffff).littleEndian : word
        }
    }

    /// linux/bpf.h, struct bpf_insn, as a number.
    private struct Instruction {
        private let word: UInt64

        init(_ word: UInt64) { self.word = word.littleEndian }

        var immediate: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }

        /// BPF_LD | BPF_DW | BPF_IMM with BPF_PSEUDO_MAP_VALUE as its source.
        var isMapValue: Bool { word & 0xff == 0x18 && word >> 12 & 0xf == 2 }
    }
}

/// Maps by their ids.
enum MapReading {
    static func open(_ id: UInt32) throws(BPFError) -> Descriptor {
        Descriptor(owning: try checkBPF("open map \(id)") { bpf_map_get_fd_by_id(id) })
    }

    static func name(of id: UInt32) throws(BPFError) -> String {
        let info = try info(try open(id))
        return withUnsafeBytes(of: info.name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    static func info(_ descriptor: borrowing Descriptor) throws(BPFError) -> bpf_map_info {
        let raw = descriptor.rawValue
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try checkBPF("look at a map") { bpf_obj_get_info_by_fd(raw, &info, &size) }
        return info
    }

    /// The only value of a map.
    static func bytes(of id: UInt32) throws(BPFError) -> [UInt8] {
        let map = try open(id)
        let (raw, size) = (map.rawValue, Int(try info(map).value_size))
        var bytes = [UInt8](repeating: 0, count: size)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(BPFError) in
            var zero: UInt32 = 0
            try checkBPF("read map \(id)") {
                bpf_map_lookup_elem(raw, &zero, buffer.baseAddress)
            }
        }
        return bytes
    }

    static func settings(_ id: UInt32) throws(BPFError) -> rf_settings? {
        let map: BPFMap<UInt32, rf_settings> = try BPFMap(
            "settings", owning: try checkBPF("open map \(id)") { bpf_map_get_fd_by_id(id) })
        return try map.value(of: 0)
    }
}

extension HostSettings {
    init(_ settings: rf_settings) {
        self.init(
            identityMask: settings.identity_mask, identityShift: settings.identity_shift,
            bucketMask: settings.bucket_mask, isAlone: settings.is_alone != 0,
            seeds: settings.seeds.numbers)
    }
}

extension rf_seeds {
    /// As they come from the kernel.
    init(_ numbers: [UInt64]) {
        self.init()
        withUnsafeMutableBytes(of: &self) { bytes in
            numbers.withUnsafeBytes {
                bytes.copyMemory(from: .init(rebasing: $0.prefix(bytes.count)))
            }
        }
    }

    var numbers: [UInt64] { withUnsafeBytes(of: words) { Array($0.bindMemory(to: UInt64.self)) } }
}
