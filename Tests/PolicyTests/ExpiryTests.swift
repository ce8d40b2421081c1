import NetTypes
import Policy
import Testing

@Suite struct ExpiryTests {
    private static let moment = Timestamp("2027-01-31T18:00:00Z") ?? Timestamp(milliseconds: 0)

    private static func file() throws -> PolicyFile {
        let policy = Texts.policy("a")
        let timed = Texts.policy("b").replacing(
            "name: b\n", with: "name: b\nexpires: \"2027-01-31T18:00:00Z\"\n")
        return try PolicyFile(parsing: Texts.documents(policy, timed), path: "a.yaml")
    }

    private static func names(_ file: PolicyFile) -> [String] { file.rules.map(\.policy.name) }

    @Test func `a policy opens nothing from its moment on`() throws {
        let file = try Self.file()
        let before = Timestamp(milliseconds: Self.moment.milliseconds - 1)
        #expect(file.expiries == [Self.moment])
        #expect(Self.names(file) == ["a", "b"])
        #expect(file.at(before) == file)
        let after = file.at(Self.moment)
        #expect(Self.names(after) == ["a"])
        #expect(after != file)
        #expect(after.at(Self.moment) == after)
        #expect(after.expiries == file.expiries)
        // A clock may go back.
        #expect(after.at(before) == file)
    }

    @Test func `a day is its first moment`() throws {
        let text = Texts.policy("a").replacing(
            "name: a\n", with: "name: a\nexpires: '2027-01-31'\n")
        let file = try PolicyFile(parsing: text, path: "a.yaml")
        #expect(file.expiries.map(\.description) == ["2027-01-31T00:00:00.000Z"])
    }

    @Test func `when it expires changes no rule's id`() throws {
        let plain = try PolicyFile(parsing: Texts.policy("b"), path: "a.yaml")
        #expect(try Self.file().rules.last?.id == plain.rules.first?.id)
    }

    @Test func `the name of an expired policy stays taken`() throws {
        let tenants = try PolicyFile(
            parsing: Texts.documents(Texts.tenant("shop"), Texts.tenant("db")), path: "t.yaml")
        let set = try PolicySet(checking: [tenants, Self.file().at(Self.moment)])
        let double = try PolicyFile(parsing: Texts.policy("b"), path: "c.yaml")
        let found = try errors { try set.replacing(["c.yaml": double]) }
        #expect(found.map(\.message) == ["a policy called 'b' stands already at a.yaml:10:7"])
    }
}
