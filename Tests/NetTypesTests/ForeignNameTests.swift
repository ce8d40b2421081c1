import NetTypes
import Testing

/// What somebody else chose as a name can't be taken for the words around it.
struct ForeignNameTests {
    @Test(arguments: ["nft", "kworker/0:1", "my-chain_2", "user@host"])
    func `plain names stay as they are`(_ name: String) { #expect(name.foreignName == name) }

    @Test(arguments: [
        ("x, pid 1, uid 0", "\"x, pid 1, uid 0\""),
        ("a; by sshd; repaired: yes", "\"a; by sshd; repaired: yes\""),
        ("say \"yes\"", "\"say 'yes'\""), ("", "\"\""),
    ])
    func `others stand in quotes of their own`(_ name: String, _ expected: String) {
        #expect(name.foreignName == expected)
    }

    @Test func `none is longer than a line`() {
        #expect(String(repeating: "a", count: 255).foreignName.count == 67)
    }
}
