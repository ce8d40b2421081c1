import Glibc
import Linux
import NetTypes
import Testing

extension Rig {
    /// How often the rules of a namespace have changed, whoever changed them.
    ///
    /// The request is NFT_MSG_GETGEN.
    func rulesGeneration(of name: String) throws -> UInt32 {
        let raw = try namespace(name).run { () throws(SystemError) in
            try check("socket", on: "NETLINK_NETFILTER") {
                socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | 0o2000000, 12)
            }
        }
        let descriptor = Descriptor(owning: raw)
        let request =
            host(UInt32(20)) + host(UInt16(10 << 8 | 16)) + host(UInt16(1))
            + host(UInt32(1)) + host(UInt32(0)) + [0, 0, 0, 0]
        _ = try check("send") { send(descriptor.rawValue, request, request.count, 0) }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = try check("recv") { recv(descriptor.rawValue, &answer, answer.count, 0) }
        // A header of 16 bytes, nfgenmsg, and NFTA_GEN_ID as the first attribute.
        try #require(count >= 28 && answer[22] == 1)
        return UInt32(networkBytes: answer[24..<28])
    }

    private func host(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number) { Array($0) }
    }
}
