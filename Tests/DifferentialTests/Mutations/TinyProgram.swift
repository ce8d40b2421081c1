import CBPF
import Linux
@testable import HostFilter

/// A program of two instructions, which says the same of every packet.
enum TinyProgram {
    static func load(
        _ type: bpf_prog_type, _ name: String, returning verdict: Int32
    ) throws -> Descriptor {
        // r0 = verdict; exit
        let words: [UInt64] = [0xb7 | UInt64(UInt32(bitPattern: verdict)) << 32, 0x95]
        let raw = words.withUnsafeBytes { bytes in
            bpf_prog_load(
                type, name, "GPL", bytes.bindMemory(to: bpf_insn.self).baseAddress, words.count, nil
            )
        }
        return Descriptor(owning: try checkBPF("load \(name)") { raw })
    }

    /// A filter of traffic control; -1 is TC_ACT_UNSPEC: whoever comes next decides.
    static func filter(
        _ name: String = "stranger", returning verdict: Int32 = -1
    ) throws -> Descriptor {
        try load(BPF_PROG_TYPE_SCHED_CLS, name, returning: verdict)
    }
}
