import Reports
import Testing

struct TableTests {
    private static func table(_ rows: [String]...) -> Table {
        var table = Table(.init("NAME"), .init("COUNT", .right), .init("WHY"))
        for row in rows { table.append(row) }
        return table
    }

    @Test func `aligns columns and leaves no trailing spaces`() {
        let table = Self.table(["web", "7", ""], ["a-long-name", "1234567", "because"], ["x"])

        #expect(
            table.text() == """
                NAME           COUNT  WHY
                web                7
                a-long-name  1234567  because
                x

                """)
    }

    @Test func `cuts the widest columns first`() {
        let table = Self.table(["a-very-long-name-indeed", "7", "some reason"])

        #expect(
            table.text(width: 30) == """
                NAME        COUNT  WHY
                a-very-lo…      7  some reason

                """)
    }

    @Test(arguments: [1, 12, 13, 20, 40, 200])
    func `keeps to the width as long as columns can shrink`(width: Int) {
        let table = Self.table(["a-very-long-name-indeed", "123456789", "some reason or other"])

        let lines = table.text(width: width).split(separator: "\n")

        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.count <= max(width, 13) && !$0.hasSuffix(" ") })
    }

    @Test(
        arguments: [
            ("a: no\n  fix: b", "a: no; fix: b"),
            ("\u{1b}[2J", "\\u{1b}[2J"), ("a\nb", "a\\u{a}b"), ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{9b}b", "a\\u{9b}b"), ("a\u{2028}b", "a\\u{2028}b"), ("naïve 東", "naïve 東"),
            ("\r\n", "\\u{d}\\u{a}"), ("a\u{0}", "a\\u{0}"),
        ])
    func `escapes hostile names`(_ name: String, _ shown: String) {
        #expect(name.printable == shown)
        #expect(Self.table([name]).text().split(separator: "\n").last.map(String.init) == shown)
    }
}
