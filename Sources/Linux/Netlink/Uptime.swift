private import Glibc

/// The kernel's time since the boot, in hundredths of a second.
enum Uptime {
    /// Completes a moment of which the kernel tells the low 32 bits only.
    ///
    /// `cstamp_delta` in net/ipv4/devinet.c cuts the moment to 32 bits, which hold 497 days. Of the moments that
    /// it may mean the latest one is taken, so one that is longer ago counts as later than it was.
    ///
    /// - Parameters:
    ///   - low: The bits that the kernel tells.
    ///   - now: The time since the boot; the clock is `CLOCK_MONOTONIC`.
    /// - Returns: The moment in hundredths of a second since the boot.
    static func moment(of low: UInt32, now: UInt64 = now()) -> UInt64 {
        // The kernel counts ticks, which may be ahead of the clock by a little.
        let latest = now + 360_000
        let age = UInt64(UInt32(truncatingIfNeeded: latest) &- low)
        return latest > age ? latest - age : 0
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 100 + UInt64(time.tv_nsec) / 10_000_000
    }
}
