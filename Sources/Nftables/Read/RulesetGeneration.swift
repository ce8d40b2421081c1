internal import CNetfilter
internal import Glibc
internal import Linux

/// Where the rulesets of a namespace stand: every transaction of anybody moves it on.
///
/// Two equal values, taken at different times of one boot, mean that nobody changed any table
/// between them. What packets add to dynamic sets, and what counters count, is not a transaction.
public struct RulesetGeneration: Hashable, Codable, Sendable {
    /// Names the namespace as long as the machine runs; unlike an inode, it is never used again
    /// (SO_NETNS_COOKIE of asm-generic/socket.h, since Linux 5.14).
    public let cookie: UInt64
    /// NFTA_GEN_ID of linux/netfilter/nf_tables.h.
    public let number: UInt32

    /// The generation that one transaction makes of this one; the kernel leaves 0 out.
    public var next: RulesetGeneration {
        RulesetGeneration(cookie: cookie, number: number == .max ? 1 : number + 1)
    }
}

extension EndpointTable {
    /// Asks where the rulesets of the table's namespace stand.
    ///
    /// The message is NFT_MSG_GETGEN; the system call for the cookie is `getsockopt`.
    public func generation() throws(NftablesError) -> RulesetGeneration {
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        do throws(SystemError) {
            try check("getsockopt(SO_NETNS_COOKIE)") {
                getsockopt(commands.rawValue, SOL_SOCKET, Self.namespaceCookie, &cookie, &length)
            }
        } catch {
            throw .socket(error)
        }
        let answer = try commands.get(NFT_MSG_GETGEN) { _ in }
        let number = answer?.attributes.first(UInt16(NFTA_GEN_ID.rawValue))?.number
        guard let number else { throw .malformed("no generation in the answer to NFT_MSG_GETGEN") }
        return RulesetGeneration(cookie: cookie, number: UInt32(truncatingIfNeeded: number))
    }

    private static let namespaceCookie: CInt = 71
}
