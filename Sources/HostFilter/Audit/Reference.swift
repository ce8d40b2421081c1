internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
internal import Verifier

/// The programs of this build over the pinned maps.
struct Reference {
    let programs: HostReference

    /// - Parameters:
    ///   - folder: Where the maps are pinned.
    ///   - settings: Those of the programs that run.
    /// - Throws: What the kernel or its verifier refused.
    init(_ folder: String, _ settings: HostSettings?) throws(BPFError) {
        let loader = try BPFLoader()
        var buckets = 0
        for (name, _) in Maps.sizes(Capacity()) {
            guard let map = try Pinned.open(folder + "/" + name) else {
                throw BPFError("open \(folder)/\(name)", code: ENOENT)
            }
            if name == "flow_tags" { buckets = Int(try MapReading.info(map).max_entries) }
            try loader.use(map, as: name)
        }
        // What is fixed decides which instructions are left: the seeds, which are no constants to
        // the kernel, may be any.
        let mayBeAlone = !HostFilter.isPreemptible
        try loader.set(
            rf_settings(
                seeds: rf_seeds(), identity_mask: settings?.identityMask ?? 0xffff_0000,
                identity_shift: settings?.identityShift ?? 16,
                bucket_mask: settings?.bucketMask ?? 0,
                is_alone: settings?.isAlone ?? mayBeAlone ? 1 : 0,
                is_weakly_ordered: HostFilter.isWeaklyOrdered ? 1 : 0, zero: 0))
        try loader.load()
        programs = HostReference(
            from: try ProgramReading.program(try loader.program("from_endpoint")),
            to: try ProgramReading.program(try loader.program("to_endpoint")), buckets: buckets,
            mayBeAlone: mayBeAlone)
    }
}
