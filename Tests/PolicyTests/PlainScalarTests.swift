import Testing

@testable import Policy

@Suite struct PlainScalarTests {
    @Test(
        arguments: [
            ("", .null), ("~", .null), ("NULL", .null), ("Null", .null), ("nUll", .text),
            ("true", .boolean), ("Off", .boolean), ("YES", .boolean), ("y", .text),
            ("truth", .text), ("0", .number), ("-1", .number), ("+1.5", .number), (".5", .number),
            ("1.", .number), (".", .text), ("-", .text), ("1_000", .number), ("012", .number),
            ("0x1f", .number), ("0x", .text), ("0xg", .text), ("0o17", .number), ("0b1", .number),
            ("1e3", .number), ("1e", .text), ("1.5E-7", .number), ("1:30", .number),
            ("1:300", .text), ("1:2:3:4:5:6:7:8", .number), ("::1", .text), ("1.2.3", .text),
            ("10.0.0.0/8", .text), ("8000-8010", .text), ("2024-01-01", .date),
            ("2024-1-1T00:00:00Z", .date), ("2024-01-01x", .text), ("2024-01", .text),
            (".inf", .number), ("-.INF", .number), (".nan", .number), ("shop", .text),
        ] as [(String, PlainScalar)]
    )
    func `is what YAML 1.1 or 1.2 takes it for`(_ text: String, _ meaning: PlainScalar) {
        #expect(PlainScalar(text) == meaning)
    }
}
