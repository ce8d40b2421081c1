import AgentCore
import NetTypes
import Testing

/// Who may use a link-layer address does not depend on who says it last.
@Suite struct LinkAddressClaimsTests {
    private static let router: [UInt8] = [2, 0, 0, 0, 0, 0xfe]

    private func link(_ last: UInt8) -> [UInt8] { [2, 0, 0, 0, 0, last] }

    private func end(_ number: Int32, _ address: [UInt8], segment: Int32 = 2) -> VethEnd {
        VethEnd(
            key: .init(
                namespace: NamespaceID(device: 4, inode: UInt64(number)), interface: 2,
                end: number),
            name: "n\(number)", segment: segment, current: address)
    }

    /// Decides about the ends in any order, where the host has one address on the bridge and a router is
    /// known at another port.
    private func settle(
        _ claims: inout LinkAddressClaims, _ ends: VethEnd..., elsewhere: Set<[UInt8]> = [router]
    ) -> [String] {
        var other = claims
        let decide = { (claims: inout LinkAddressClaims, ends: [VethEnd]) in
            claims.settle(ends, hosts: [2: [[2, 0, 0, 0, 0, 1]]]) { address, _ in
                elsewhere.contains(address)
            }
        }
        let refusals = decide(&claims, ends)
        #expect(decide(&other, ends.reversed()) == refusals)
        #expect(other == claims)
        return refusals.map { "\($0.claimant) loses to \($0.keeper)" }
    }

    @Test func `what was there first may be used, and a free address may be changed to`() {
        var claims = LinkAddressClaims()
        #expect(settle(&claims, end(12, link(12)), end(13, link(13))) == [])
        #expect(!claims.hasChanges)
        #expect(settle(&claims, end(12, link(99)), end(13, link(13))) == [])
        #expect(claims.address(of: end(12, []).key) == link(99))
        #expect(claims.hasChanges)
    }

    @Test func `a router beyond the bridge keeps its address`() {
        var claims = LinkAddressClaims()
        _ = settle(&claims, end(12, link(12)))
        #expect(
            settle(&claims, end(12, Self.router)) == ["n12 loses to a device on the link"])
        #expect(claims.address(of: end(12, []).key) == link(12))
        // One that was silent and is seen again gets it back.
        _ = settle(&claims, end(12, link(77)), elsewhere: [])
        #expect(claims.address(of: end(12, []).key) == link(77))
        #expect(
            settle(&claims, end(12, link(77)), elsewhere: [link(77)])
                == ["n12 loses to a device on the link"])
        #expect(claims.address(of: end(12, []).key) == link(12))
    }

    @Test func `nobody takes another's address, whether it is in use or not`() {
        var claims = LinkAddressClaims()
        _ = settle(&claims, end(12, link(12)), end(13, link(13)))
        #expect(settle(&claims, end(12, link(13)), end(13, link(13))) == ["n12 loses to n13"])
        #expect(claims.address(of: end(13, []).key) == link(13))
        // While it uses another one, the first stays its own.
        #expect(settle(&claims, end(12, link(13)), end(13, link(50))) == ["n12 loses to n13"])
        #expect(claims.address(of: end(12, []).key) == link(12))
        #expect(settle(&claims, end(12, link(1)), end(13, link(13))) == ["n12 loses to host"])
    }

    @Test func `a newcomer gets the address that the host made it with`() {
        var claims = LinkAddressClaims()
        _ = settle(&claims, end(12, link(12)))
        _ = settle(&claims, end(12, link(40)))
        #expect(claims.address(of: end(12, []).key) == link(40))
        #expect(settle(&claims, end(12, link(40)), end(40, link(40))) == ["n12 loses to n40"])
        #expect(claims.address(of: end(40, []).key) == link(40))
        #expect(claims.address(of: end(12, []).key) == link(12))
    }

    @Test func `of two that were made with the same address the older one keeps it`() {
        var claims = LinkAddressClaims()
        #expect(settle(&claims, end(12, link(12)), end(13, link(12))) == ["n13 loses to n12"])
        #expect(claims.address(of: end(13, []).key) == [])
        // Another link is another matter.
        var apart = LinkAddressClaims()
        #expect(settle(&apart, end(12, link(12)), end(13, link(12), segment: 13)) == [])
        // Who is gone gives it up.
        #expect(settle(&claims, end(13, link(12))) == [])
        #expect(claims.entries.count == 1)
    }

    @Test func `an address that is flapped costs its keeper nothing`() {
        var claims = LinkAddressClaims()
        _ = settle(&claims, end(12, link(12)), end(13, link(13)))
        for turn in 0..<50 {
            _ = settle(&claims, end(12, turn % 2 == 0 ? link(13) : link(12)), end(13, link(13)))
            #expect(claims.address(of: end(13, []).key) == link(13))
            #expect(claims.address(of: end(12, []).key) == link(12))
        }
    }
}
