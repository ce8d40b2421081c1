import NetTypes
import Testing

@Suite struct PrefixTests {
    @Test(
        arguments: [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.1"), ("10.0.0.2/31", "10.0.0.2", "10.0.0.3"),
            ("128.0.0.0/1", "128.0.0.0", "255.255.255.255"),
            ("255.255.255.255/32", "255.255.255.255", "255.255.255.255"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fd00::/8", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff"),
            ("::1", "::1", "::1"), ("::/127", "::", "::1"),
        ])
    func `covers its addresses and no others`(_ text: String, _ low: String, _ high: String) throws
    {
        let prefix = try Prefix(parsing: text)
        let first = try #require(IPAddress(low))
        let last = try #require(IPAddress(high))
        #expect(prefix.contains(first) && prefix.contains(last))
        #expect(first.before.map(prefix.contains) != true)
        #expect(last.after.map(prefix.contains) != true)
        let addresses = prefix.addresses
        switch (first, last) {
        case (.v4(let low), .v4(let high)):
            #expect(addresses == AddressSet(v4: low...high))
            #expect(!prefix.contains(.v6(UInt128(low))))
        case (.v6(let low), .v6(let high)):
            #expect(addresses == AddressSet(v6: low...high))
            #expect(!prefix.contains(.v4(UInt32(truncatingIfNeeded: low))))
        default: Issue.record("two families")
        }
        #expect(try Prefix(parsing: prefix.description) == prefix)
    }

    @Test(
        arguments: [
            ("10.0.0/8", .notAnAddress("10.0.0")), ("/8", .notAnAddress("")),
            ("", .notAnAddress("")), ("fe80::%1/10", .notAnAddress("fe80::%1")),
            ("10.0.0.0/33", .badLength("33", greatest: 32)),
            ("10.0.0.0/08", .badLength("08", greatest: 32)),
            ("10.0.0.0/", .badLength("", greatest: 32)),
            ("10.0.0.0/-1", .badLength("-1", greatest: 32)),
            ("10.0.0.0/+8", .badLength("+8", greatest: 32)),
            ("10.0.0.0/8/8", .badLength("8/8", greatest: 32)),
            ("10.0.0.0/255.0.0.0", .badLength("255.0.0.0", greatest: 32)),
            ("::/129", .badLength("129", greatest: 128)),
            ("10.0.0.1/8", .hostBitsSet(instead: Prefix(containing: .v4(0x0a00_0000), length: 8))),
            ("::1/0", .hostBitsSet(instead: Prefix.all(.v6))),
        ] as [(String, Prefix.ParseError)])
    func `refuses`(_ text: String, _ error: Prefix.ParseError) {
        #expect(throws: error) { try Prefix(parsing: text) }
    }

    @Test func `cuts a length to its family`() {
        #expect(Prefix(containing: .v4(1), length: 99).length == 32)
        #expect(Prefix(containing: .v6(1), length: 129).length == 128)
        #expect(Prefix(containing: .v6(1), length: -1) == .all(.v6))
    }
}

extension IPAddress {
    fileprivate var before: IPAddress? {
        switch self {
        case .v4(let number): number > 0 ? .v4(number - 1) : nil
        case .v6(let number): number > 0 ? .v6(number - 1) : nil
        }
    }

    fileprivate var after: IPAddress? {
        switch self {
        case .v4(let number): number < .max ? .v4(number + 1) : nil
        case .v6(let number): number < .max ? .v6(number + 1) : nil
        }
    }
}
