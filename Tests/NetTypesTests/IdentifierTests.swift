import Foundation
import NetTypes
import Testing

@Suite struct IdentifierTests {
    @Test(
        arguments: [
            (0, "0000000000000000"), (1, "0000000000000001"), (.max, "ffffffffffffffff"),
            (0x0123_4567_89ab_cdef, "0123456789abcdef"),
        ] as [(UInt64, String)])
    func `rule ids have sixteen digits`(_ number: UInt64, _ text: String) throws {
        let id = RuleID(rawValue: number)
        #expect(id.description == text)
        #expect(RuleID(text) == id)
        #expect(try JSONDecoder().decode(RuleID.self, from: JSONEncoder().encode(id)) == id)
    }

    @Test(
        arguments: [
            "", "0", "000000000000000", "00000000000000000", "000000000000000g", "0x00000000000000",
            "-000000000000001", "+000000000000001", " 000000000000001", "00000000000000０",
        ])
    func `no other text is a rule id`(_ text: String) {
        #expect(RuleID(text) == nil)
    }

    /// Test vectors of draft-eastlake-fnv-21 for 64-bit FNV-1a.
    @Test(
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] as [(String, UInt64)])
    func `digests are FNV-1a`(_ text: String, _ value: UInt64) {
        var digest = Digest()
        for byte in text.utf8 { digest.combine(byte: byte) }
        #expect(digest.value == value)
    }

    @Test func `a digest tells texts and widths apart`() {
        func digest(_ feed: (inout Digest) -> Void) -> UInt64 {
            var digest = Digest()
            feed(&digest)
            return digest.value
        }
        let values = [
            digest {
                $0.combine("ab"); $0.combine("c")
            },
            digest {
                $0.combine("a"); $0.combine("bc")
            },
            digest { $0.combine("abc") },
            digest {
                $0.combine("abc"); $0.combine("")
            },
            digest { $0.combine(UInt8(1)) }, digest { $0.combine(UInt16(1)) },
            digest { $0.combine(UInt16(256)) }, digest { $0.combine(UInt64(1)) },
        ]
        #expect(Set(values).count == values.count)
    }

    @Test(
        arguments: [("tcp", 6), ("icmpv6", 58), ("sctp", 132), ("0", 0), ("6", 6), ("255", 255)]
            as [(String, UInt8)])
    func `reads protocols by name and number`(_ text: String, _ number: UInt8) {
        #expect(IPProtocol(text) == IPProtocol(rawValue: number))
    }

    @Test(arguments: ["", "TCP", "256", "-1", "+6", "06", "tcp ", "any"])
    func `no other text is a protocol`(_ text: String) {
        #expect(IPProtocol(text) == nil)
    }
}
