import NetTypes
import Reports
import Testing

struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func `is written and read`(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test(
        arguments: [
            ("2026-01-02", 1_767_312_000_000), ("2026-01-02T03:04:05", 1_767_323_045_000),
            ("2026-01-02T03:04:05.6Z", 1_767_323_045_600),
        ] as [(String, Int64)])
    func `reads what people shorten`(_ text: String, _ milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "now", "2026-02-29", "2026-13-01", "2026-1-2", "2026-01-02T24:00:00",
        "2026-01-02T1:2:3",
        "2026-01-02T03:04:05.", "2026-01-02T03:04:05.1234", "2026-01-02T03:04:05+01:00",
        "2026-01-02TT", "٢٠٢٦-01-02",
    ])
    func `refuses`(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `takes seconds, rounding down`() {
        #expect(Timestamp(secondsSince1970: 1.9999).milliseconds == 1999)
        #expect(Timestamp(secondsSince1970: -0.0001).milliseconds == -1)
        #expect(Timestamp(secondsSince1970: .infinity).milliseconds == .max)
        #expect(Timestamp(secondsSince1970: .nan).milliseconds == 0)
    }
}
