import FoundationEssentials

/// The compiled eBPF programs, as the build has made them.
public enum BPFObjects {
    /// An ELF object with BTF: `bpf/host_filter.bpf.c`.
    public static var hostFilter: [UInt8] { decoded(hostFilterBase64) }

    /// An ELF object with BTF: `bpf/vary.bpf.c`.
    public static var vary: [UInt8] { decoded(varyBase64) }

    private static func decoded(_ base64: StaticString) -> [UInt8] {
        let text = base64.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        return Data(base64Encoded: text).map { Array($0) } ?? []
    }
}
