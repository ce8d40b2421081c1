import Foundation
import NetTypes
import TestSupport
import Testing

@Suite struct IPAddressTests {
    /// Text, and the form of RFC 5952 that it is written back in.
    @Test(
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
            ("10.1.2.3", "10.1.2.3"),
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:0", "::"),
            // Section 4.1: no leading zeros.
            ("2001:0db8::0001", "2001:db8::1"),
            // Section 4.2.1: as short as possible.
            ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
            // Section 4.2.2: never for one group.
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            // Section 4.2.3: the longest run, and the first of equals.
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            // Section 4.3: lower case.
            ("2001:DB8::ABCD", "2001:db8::abcd"),
            // Section 5: a mapped address keeps its quad.
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::ffff:c000:201", "::ffff:192.0.2.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ])
    func `reads and writes`(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
        #expect(
            try JSONDecoder().decode(IPAddress.self, from: JSONEncoder().encode(address)) == address
        )
    }

    @Test(
        arguments: [
            "", " ", ".", "...", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.0.0.1",
            "01.2.3.4", "1.2.3.04", "0x7f.0.0.1", "1.2.3.4 ", " 1.2.3.4", "+1.2.3.4", "1.2.3.-4",
            "2130706433", "127.1", "1.2.3.4\n", "1.2.3.4\0", "1.2.3.4/32", "１.2.3.4", "1.2.3.٤",
            ":", ":::", "1", "1:", ":1", "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", "::g", "fe80::1%eth0",
            "[::1]", "::1/128", "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "::1.2.3.4:5", "::01.2.3.4",
            "::ffff:256.0.0.1", "1:2:3:4:5:6:7:1.2.3.4", "+1::", "-1::", ":: ", "::\u{301}1",
            "1:\u{301}:2",
            "::１", String(repeating: ":", count: 10_000), String(repeating: "1.", count: 10_000),
        ])
    func `refuses`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `reads back whatever it writes`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5_000 {
            // Groups of zeros are what the short form is about.
            let groups = (0..<8).map { _ in random.once(in: 2) ? 0 : random.next() & 0xffff }
            let six = IPAddress.v6(groups.reduce(0) { $0 << 16 | UInt128($1) })
            let four = IPAddress.v4(UInt32(truncatingIfNeeded: random.next()))
            #expect(IPAddress(six.description) == six)
            #expect(IPAddress(four.description) == four)
        }
    }

    @Test(
        arguments: [
            ("169.254.0.0", true, false, false), ("169.254.255.255", true, false, false),
            ("169.253.255.255", false, false, false), ("169.255.0.0", false, false, false),
            ("fe80::", true, false, false), ("febf:ffff::", true, false, false),
            ("fec0::", false, false, false), ("fe7f::", false, false, false),
            ("127.0.0.0", false, true, false), ("127.255.255.255", false, true, false),
            ("126.255.255.255", false, false, false), ("128.0.0.0", false, false, false),
            ("::1", false, true, false), ("::", false, false, false), ("::2", false, false, false),
            ("224.0.0.0", false, false, true), ("239.255.255.255", false, false, true),
            ("223.255.255.255", false, false, false), ("240.0.0.0", false, false, false),
            ("255.255.255.255", false, false, true), ("255.255.255.254", false, false, false),
            ("ff00::", false, false, true), ("feff::", false, false, false),
        ])
    func `knows what cannot be anybody's`(
        _ text: String, _ linkLocal: Bool, _ loopback: Bool, _ group: Bool
    ) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isLinkLocal == linkLocal)
        #expect(address.isLoopback == loopback)
        #expect(address.isMulticastOrBroadcast == group)
    }

    @Test func `orders by family, then by number`() {
        let texts = ["0.0.0.1", "2.0.0.0", "10.0.0.0", "::", "::2", "::10", "1::"]
        let addresses = texts.compactMap { IPAddress($0) }
        #expect(addresses.reversed().sorted() == addresses)
    }

    @Test(arguments: [0, 1, 3, 5, 15, 17]) func `takes no other number of bytes`(_ count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }
}
