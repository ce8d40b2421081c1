import Glibc
import Linux

/// The connection tracking of a namespace.
struct FlowTable: ~Copyable {
    private let descriptor: Descriptor

    // NETLINK_NETFILTER; NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_DELETE; NLM_F_REQUEST | NLM_F_ACK.
    private static let netfilter: CInt = 12
    private static let delete: UInt32 = 0x0102
    private static let acknowledged: UInt32 = 0x0005

    /// Opens the socket in the calling thread's namespace.
    init() throws(SystemError) {
        let raw = try check("socket", on: "netlink") {
            socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | 0o2000000, Self.netfilter)
        }
        descriptor = Descriptor(owning: raw)
    }

    /// Forgets every flow: IPCTNL_MSG_CT_DELETE without a flow, acknowledged.
    func clear() throws(SystemError) {
        let raw = descriptor.rawValue
        let request: [UInt32] = [
            20, Self.delete | Self.acknowledged << 16, 1, 0, 0,
        ]
        try check("send", on: "ctnetlink") { send(raw, request, 20, 0) }
        var answer = [Int32](repeating: 0, count: 64)
        try check("recv", on: "ctnetlink") { recv(raw, &answer, 256, 0) }
        // The header of 16 bytes, then the error number.
        guard answer[4] == 0 else { throw SystemError("ctnetlink", on: "delete", code: -answer[4]) }
    }
}
