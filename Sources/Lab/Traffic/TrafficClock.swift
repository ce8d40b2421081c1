import Glibc

extension TrafficReport {
    /// This moment.
    ///
    /// The system call is `clock_gettime` with CLOCK_MONOTONIC.
    public static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Sleeps until a moment, or not at all.
    static func sleep(until moment: Instant) {
        var time = timespec(
            tv_sec: time_t(moment / 1_000_000_000), tv_nsec: Int(moment % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
