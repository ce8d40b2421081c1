internal import BPFObjects
internal import CBPF
internal import Glibc
internal import Linux

/// An object file on its way into the kernel.
struct BPFLoader: ~Copyable {
    private let object: OpaquePointer

    /// Reads an object.
    init(_ bytes: [UInt8] = BPFObjects.hostFilter) throws(BPFError) {
        cbpf_capture_messages()
        let opened = bytes.withUnsafeBytes { bpf_object__open_mem($0.baseAddress, $0.count, nil) }
        guard let opened else {
            throw BPFError("open an eBPF object", code: errno, messages: Self.messages)
        }
        object = opened
    }

    deinit { bpf_object__close(object) }

    private static var messages: String { String(cString: cbpf_take_messages()) }

    /// How many entries a map is to hold.
    func setCapacity(_ count: Int, of map: String) throws(BPFError) {
        let pointer = try pointer(to: map)
        try checkBPF("size map \(map)") {
            bpf_map__set_max_entries(pointer, UInt32(clamping: count))
        }
    }

    /// Where a map is pinned; one that is there already is taken over.
    func pin(_ map: String, at path: String) throws(BPFError) {
        let pointer = try pointer(to: map)
        try checkBPF("pin map \(map)") { bpf_map__set_pin_path(pointer, path) }
    }

    /// Lets the programs use a map that is there, whatever its size.
    func use(_ descriptor: borrowing Descriptor, as map: String) throws(BPFError) {
        let (pointer, raw) = (try pointer(to: map), descriptor.rawValue)
        try checkBPF("use map \(map)") { bpf_map__reuse_fd(pointer, raw) }
    }

    func set(_ settings: rf_settings) throws(BPFError) {
        let pointer = try pointer(to: ".rodata.settings")
        var settings = settings
        try checkBPF("set the settings") {
            bpf_map__set_initial_value(pointer, &settings, MemoryLayout<rf_settings>.size)
        }
    }

    func load() throws(BPFError) {
        let answer = bpf_object__load(object)
        if answer < 0 {
            throw BPFError("load an eBPF object", code: -answer, messages: Self.messages)
        }
    }

    /// A descriptor of its own of a map, once loaded.
    func map(_ name: String) throws(BPFError) -> CInt {
        try duplicate(bpf_map__fd(try pointer(to: name)))
    }

    /// A descriptor of its own of a program, once loaded.
    func program(_ name: String) throws(BPFError) -> Descriptor {
        guard let program = bpf_object__find_program_by_name(object, name) else {
            throw BPFError("find program \(name)", code: ENOENT)
        }
        return Descriptor(owning: try duplicate(bpf_program__fd(program)))
    }

    private func pointer(to map: String) throws(BPFError) -> OpaquePointer {
        guard let pointer = bpf_object__find_map_by_name(object, map) else {
            throw BPFError("find map \(map)", code: ENOENT)
        }
        return pointer
    }

    private func duplicate(_ raw: CInt) throws(BPFError) -> CInt {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        if copy < 0 { throw BPFError("duplicate a descriptor", code: errno) }
        return copy
    }
}
