import Policy
import Testing

@Suite struct MistakeTests {
    @Test func `every mistake of a file is reported, in its order`() throws {
        let found = try mistakes(
            in: """
                apiVersion: ringfence/v1
                kind: Tenant
                nmae: shop
                labels: {env: 1, env: 2}
                ---
                name: [unclosed
                ---
                apiVersion: ringfence/v1
                kind: Policy
                name: A
                from: [{tenant: shop, except: []}, moon]
                allow: [{protocol: tpc}, {protocol: tcp, ports: [0, 9-8]}]
                """)
        #expect(
            found.map { "\($0.place.line):\($0.place.column)" } == [
                "3:1", "4:15", "4:18", "7:1", "8:1", "10:7", "11:23", "11:36", "12:20",
                "12:50", "12:53",
            ])
    }

    @Test(
        arguments: [
            ("paymets", "write 'payments', or add a document 'kind: Tenant' with that name"),
            ("moon", "add a document 'kind: Tenant' with that name"),
        ]
    )
    func `an unknown tenant`(_ name: String, _ fix: String) throws {
        let text = Texts.policy("a", from: "{tenant: \(name)}", to: "world")
        let found = try mistakes(in: Texts.documents(text, Texts.tenant("payments")))
        #expect(found.map(\.fix) == [fix])
    }

    @Test(
        arguments: [
            (
                "cidr: 10.0.0.1/8",
                "write '10.0.0.1' for the address, or '10.0.0.0/8' for the network"
            ),
            ("cidr: fe80::1%eth0", "write 'fe80::1'"), ("wrold", "write 'world'"),
            ("db", "write 'tenant: db' if it is a tenant"),
            ("10.0.0.0/8", "write 'cidr: 10.0.0.0/8'"),
            ("tenant: DB", "write 'db'"), ("tenant: 12", #"put it in quotes: "12""#),
            ("tenants: {}", "name a label; 'tenants: all' means every tenant"),
            ("tenants: db", "write 'tenant: db'"), ("10.0.0.1", "write 'cidr: 10.0.0.1'"),
            ("cidr: 10.0.0.0/255.0.0.0", "write '10.0.0.0/8'"),
            (
                "cidr: 10.0.0.0/255.0.255.0",
                "write ADDRESS/LENGTH, such as '10.0.0.0/32' for one address"
            ),
            ("cidr: www.example.com", "write the host's addresses, such as 192.0.2.1"),
            (#"cidr: "::ffff:10.0.0.0/104""#, "write '10.0.0.0/8', which is what it stands for"),
            ("cidr: 127.0.0.0/8", "write the addresses that the packets have, or delete it"),
        ]
    )
    func `a wrong peer has a fix`(_ peer: String, _ fix: String) throws {
        let item = peer.contains(": ") ? "{\(peer)}" : peer
        let text = Texts.documents(
            Texts.policy("a", from: item, to: "{tenant: db}"), Texts.tenant("db"))
        #expect(try mistakes(in: text).map(\.fix) == [fix])
    }

    @Test(
        arguments: [
            "", "\n\n", "# only a comment\n", "---\n", "---\n---\n", "~",
            "---\n# Source: a.yaml\n---\n",
        ]
    )
    func `a file without a document opens nothing`(_ text: String) throws {
        let file = try PolicyFile(parsing: text, path: "a.yaml")
        #expect(file.documents.isEmpty && file.rules.isEmpty)
    }

    @Test(arguments: ["[]", "{}", "a", "...\n", "\u{feff}"])
    func `something that is no document is a mistake`(_ text: String) throws {
        #expect(try !mistakes(in: text).isEmpty)
    }

    @Test func `a duplicate is found however many there are`() throws {
        let keys = (0..<40).map { "k\($0): a, k\($0): b" }.joined(separator: ", ")
        let found = try mistakes(in: Texts.tenant("shop", "labels: {\(keys)}"))
        #expect(!found.isEmpty)
    }

    @Test(arguments: HostileText.all)
    func `hostile text ends in an error`(_ hostile: HostileText) throws {
        let found = try mistakes(in: hostile.text)
        #expect(!found.isEmpty)
        #expect(found.count <= 501)
        #expect(found.allSatisfy { $0.place.line > 0 && $0.place.column > 0 && !$0.fix.isEmpty })
    }

    @Test func `cut and garbled files never crash`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let texts = try Folders.goodFiles.map(Folders.bytes)
        let odd = Array("[]{}:,-&*!|>'\"%@`#? \n\t\r~0<\u{0}".utf8) + [0xff, 0xc2, 0xe2, 0xef]
        for _ in 0..<1000 {
            guard var bytes = texts.randomElement(using: &random) else { return }
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] = odd.randomElement(using: &random) ?? 0
            }
            let found = try errors { try PolicyFile(parsing: bytes, path: "a.yaml") }
            #expect(found.allSatisfy { $0.place.line > 0 && !$0.fix.isEmpty }, "seed \(seed)")
        }
    }
}

/// A text that could keep a reader busy, or break it.
struct HostileText: CustomTestStringConvertible {
    let text: String

    /// Its start: whole ones would fill the log.
    var testDescription: String { "\(text.prefix(16).debugDescription), \(text.utf8.count) bytes" }

    static let all: [HostileText] = [

        String(repeating: "[", count: 20_000), String(repeating: "- ", count: 20_000),
        String(repeating: "{a: ", count: 20_000), String(repeating: "? ", count: 20_000),
        (0..<1500).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        String(repeating: "---\na\n", count: 20_000), String(repeating: "a: 1\n", count: 20_000),
        String(repeating: "&a *a ", count: 20_000), String(repeating: "a", count: 5 << 20),
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\n? *b : c\n",
        "a: \"" + String(repeating: "x\n", count: 20_000),
        "\u{0}", "%", "%YAML 9.9\n---\n", "!", "&", "*", "|", ">", "@", "`", "'", "\"", "{",
        "}",
        "]", ",", ":", "?", "-", "<<: *a", "!!binary x", "a: !<!x> b", "\r", "\t", "\u{85}",
        "\u{e000}a: 1\n\u{e000}a: 1\na: 1\na: 2",
    ].map { HostileText(text: $0) }
}

/// A small random generator with a seed (SplitMix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
