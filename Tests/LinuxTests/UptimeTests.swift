import Testing

@testable import Linux

@Suite struct UptimeTests {
    private static let turn: UInt64 = 1 << 32

    @Test(
        arguments: [
            (1_000, 2_000, 1_000), (0, 0, 0), (500_000, 500_000, 500_000),
            // A little ahead of the clock.
            (2_050, 2_000, 2_050),
            // After 497 days the low bits begin again.
            (UInt32.max, turn + 5, turn - 1), (3, turn + 5, turn + 3),
            (100, 3 * turn + 50_000_000, 3 * turn + 100),
            // What can't be is no trap.
            (UInt32.max, 5, 0),
        ] as [(UInt32, UInt64, UInt64)]
    )
    func `completes a moment`(_ low: UInt32, _ now: UInt64, _ moment: UInt64) {
        #expect(Uptime.moment(of: low, now: now) == moment)
    }
}
