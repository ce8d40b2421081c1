internal import CBPF
internal import Glibc
internal import Linux

/// One way through the host end of a veth.
enum Hook: CaseIterable {
    /// What the endpoint sends.
    case fromEndpoint
    /// What the endpoint gets.
    case toEndpoint

    var program: String { self == .fromEndpoint ? "from_endpoint" : "to_endpoint" }

    fileprivate var attachType: CInt { self == .fromEndpoint ? cbpf_TCX_INGRESS : cbpf_TCX_EGRESS }

    /// The ids of the programs on the hook, in their order, with their links' ids.
    ///
    /// The calling thread has to be in the interface's namespace.
    func programs(on interface: Int32) throws(BPFError) -> [(program: UInt32, link: UInt32)] {
        var answer = cbpf_query()
        try checkBPF("ask for the programs of interface \(interface)") {
            cbpf_query_hook(interface, attachType, &answer)
        }
        let count = min(Int(answer.count), 64)
        let programs = withUnsafeBytes(of: answer.programs) {
            Array($0.bindMemory(to: UInt32.self))
        }
        let links = withUnsafeBytes(of: answer.links) { Array($0.bindMemory(to: UInt32.self)) }
        return (0..<count).map { (programs[$0], links[$0]) }
    }

    /// Attaches a program; it runs as long as the link is open or pinned.
    ///
    /// The calling thread has to be in the interface's namespace.
    func attach(
        _ program: borrowing Descriptor, to interface: Int32
    ) throws(BPFError) -> Descriptor {
        let (raw, type) = (program.rawValue, attachType)
        let link = try checkBPF("attach to interface \(interface)") {
            bpf_link_create(raw, interface, bpf_attach_type(rawValue: UInt32(type)), nil)
        }
        return Descriptor(owning: link)
    }
}

/// The older way: a filter of the clsact queueing discipline, which needs no open link to stay.
extension Hook {
    private var isIngress: CInt { self == .fromEndpoint ? 1 : 0 }

    /// Where the kernel lists the filters of the hook.
    var filters: FilterHook { self == .fromEndpoint ? .ingress : .egress }

    /// Whether the kernel has TCX links.
    ///
    /// The calling thread has to be in the interface's namespace.
    func hasLinks(on interface: Int32) -> Bool {
        do throws(BPFError) {
            _ = try programs(on: interface)
            return true
        } catch {
            return error.code != EINVAL
        }
    }

    /// The id of the program in our place; nil where there is none.
    func filter(on interface: Int32) throws(BPFError) -> UInt32? {
        let answer = cbpf_tc_program(interface, isIngress)
        try checkBPF("ask for the filter of interface \(interface)") {
            answer < 0 ? CInt(truncatingIfNeeded: answer) : 0
        }
        return answer == 0 ? nil : UInt32(truncatingIfNeeded: answer)
    }

    /// Puts a program in our place: in one step, if another one is there.
    func setFilter(_ program: borrowing Descriptor, on interface: Int32) throws(BPFError) {
        let raw = program.rawValue
        try checkBPF("attach to clsact of interface \(interface)") {
            cbpf_tc_attach(interface, isIngress, raw)
        }
    }

    /// Takes our program away, and nobody else's.
    func removeFilter(on interface: Int32) {
        guard let id = try? filter(on: interface), ProgramInfo.name(ofProgram: id) == program
        else { return }
        _ = cbpf_tc_detach(interface, isIngress)
    }
}

/// What the kernel tells of a program.
struct ProgramInfo: Hashable {
    let id: UInt32
    /// A hash of the instructions.
    let tag: [UInt8]
    let name: String
    let maps: Set<UInt32>

    init(_ descriptor: borrowing Descriptor) throws(BPFError) {
        let raw = descriptor.rawValue
        var maps = [UInt32](repeating: 0, count: 64)
        let info = try maps.withUnsafeMutableBufferPointer { (buffer) throws(BPFError) in
            var info = bpf_prog_info()
            var size = UInt32(MemoryLayout<bpf_prog_info>.size)
            info.map_ids = UInt64(UInt(bitPattern: buffer.baseAddress))
            info.nr_map_ids = UInt32(buffer.count)
            try checkBPF("look at a program") { bpf_obj_get_info_by_fd(raw, &info, &size) }
            return info
        }
        id = info.id
        tag = withUnsafeBytes(of: info.tag) { Array($0) }
        name = withUnsafeBytes(of: info.name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        self.maps = Set(maps.prefix(Int(info.nr_map_ids)))
    }

    /// The program that a link runs.
    static func program(of link: borrowing Descriptor) throws(BPFError) -> UInt32 {
        try self.link(link).program
    }

    /// A link's own id, and the program that it runs.
    static func link(
        _ link: borrowing Descriptor
    ) throws(BPFError) -> (id: UInt32, program: UInt32) {
        let raw = link.rawValue
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        try checkBPF("look at a link") { bpf_obj_get_info_by_fd(raw, &info, &size) }
        return (info.id, info.prog_id)
    }

    /// The name of a program that somebody else attached.
    static func name(ofProgram id: UInt32) -> String {
        let raw = bpf_prog_get_fd_by_id(id)
        guard raw >= 0 else { return "program \(id)" }
        let descriptor = Descriptor(owning: raw)
        return (try? ProgramInfo(descriptor))?.name ?? "program \(id)"
    }
}
