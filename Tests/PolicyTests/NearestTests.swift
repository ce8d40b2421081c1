import Testing

@testable import Policy

@Suite struct NearestTests {
    @Test(
        arguments: [
            ("paymets", "payments"), ("shpo", "shop"), ("SHOP", "shop"), ("shops", "shop"),
            ("monitor", nil), ("x", nil), ("", nil), ("dbx", "db"), ("d", "db"),
        ] as [(String, String?)]
    )
    func `finds what was meant`(_ typed: String, _ meant: String?) {
        #expect(["payments", "shop", "db", "monitoring"].nearest(to: typed) == meant)
    }

    @Test func `prefers the first of equals`() {
        #expect(["cat", "bat"].nearest(to: "rat") == "bat")
    }

    @Test func `long words are not compared`() {
        let long = String(repeating: "a", count: 100_000)
        #expect([long].nearest(to: long) == nil)
    }
}
