import Testing

@testable import Policy

@Suite struct GlobTests {
    @Test(
        arguments: [
            ("shop-*", "shop-", true), ("shop-*", "shop-web", true), ("shop-*", "shop", false),
            ("*", "", true), ("*", "anything", true), ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyyd", false), ("*aab", "aaaab", true), ("?", "x", true),
            ("?", "", false), ("?", "é", true), ("[a-c]x", "bx", true), ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true), ("[!a-c]x", "ax", false), ("[]x]", "]", true),
            ("[!]x]", "y", true), ("[a-]", "-", true), ("[c-a]", "b", false), ("[é]", "é", true),
            ("shop.1", "shopx1", false), ("a", "ab", false), ("", "", true), ("", "a", false),
        ] as [(String, String, Bool)]
    )
    func `matches as glob(7) does`(_ pattern: String, _ name: String, _ fits: Bool) throws {
        let glob = try #require(Glob(pattern))
        #expect(glob.matches(name) == fits)
    }

    @Test(arguments: ["[", "[a", "a[!", "[]", "[!]", "[[:alpha:]]"])
    func `refuses what is no pattern`(_ pattern: String) {
        #expect(Glob(pattern) == nil)
    }

    @Test func `many stars take no time`() throws {
        let glob = try #require(Glob(String(repeating: "*a", count: 100) + "b"))
        #expect(!glob.matches(String(repeating: "a", count: 10_000)))
    }
}
