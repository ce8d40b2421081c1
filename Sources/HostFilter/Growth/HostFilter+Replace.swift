internal import CBPF
internal import Glibc
internal import Linux

/// Programs in the place of others.
extension HostFilter {
    /// Puts this filter's programs in the place of ours wherever some stand.
    ///
    /// The calling thread has to be in the host namespace.
    ///
    /// - Returns: Where the kernel refused, with the reason. An interface that is gone is no failure.
    func replacePrograms() -> [Int32: BPFError] {
        var failures: [Int32: BPFError] = [:]
        for interface in linked {
            for hook in Hook.allCases {
                do throws(BPFError) {
                    try replaceProgram(hook, at: interface)
                } catch {
                    // tcx_link_update of kernel/bpf/tcx.c says ENOLINK for a link without a device.
                    if ![ENOLINK, ENODEV].contains(error.code) { failures[interface] = error }
                }
            }
        }
        return failures
    }

    private func replaceProgram(_ hook: Hook, at interface: Int32) throws(BPFError) {
        let program = hook == .fromEndpoint ? programs.from.rawValue : programs.to.rawValue
        let path = linkPath(interface, hook)
        if let link = try Pinned.open(path) {
            let raw = link.rawValue
            try checkBPF("replace the program of interface \(interface)") {
                bpf_link_update(raw, program, nil)
            }
        }
        let marker = Self.filterMarker(path)
        guard try Pinned.open(marker) != nil, let now = try hook.filter(on: interface),
            ProgramInfo.name(ofProgram: now) == hook.program
        else { return }
        if hook == .fromEndpoint {
            try setFilter(hook, programs.from, at: interface, marker)
        } else {
            try setFilter(hook, programs.to, at: interface, marker)
        }
    }

    private func setFilter(
        _ hook: Hook, _ program: borrowing Descriptor, at interface: Int32, _ marker: String
    ) throws(BPFError) {
        try hook.setFilter(program, on: interface)
        Pinned.remove(marker)
        try Pinned.pin(program, at: marker)
    }
}
