private import CLinux
private import Glibc

/// Wakes a poller up at a moment of the system's clock, and whenever that clock is set.
///
/// The system calls are `timerfd_create` and `timerfd_settime` (timerfd_create(2)): with
/// `TFD_TIMER_CANCEL_ON_SET` a jump of the clock makes the descriptor readable too.
public struct Alarm: ~Copyable, Sendable {
    /// Readable from that moment or jump on, until `clear()`.
    public let descriptor: Descriptor

    /// The latest moment that can be waited for.
    public static let farthest = Int64.max

    public init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try check("timerfd_create") {
                timerfd_create(CLOCK_REALTIME, CInt(TFD_CLOEXEC | TFD_NONBLOCK))
            })
    }

    /// Waits for a moment; nil waits for nothing.
    ///
    /// - Parameter milliseconds: Since 1970-01-01T00:00:00Z; a moment that has passed is there at once.
    /// - Throws: `SystemError` if the kernel refuses.
    public func set(milliseconds: Int64?) throws(SystemError) {
        var time = itimerspec()
        if let milliseconds {
            // Zero would mean to wait for nothing.
            let moment = max(milliseconds, 1)
            time.it_value = timespec(
                tv_sec: Int(moment / 1000), tv_nsec: Int(moment % 1000) * 1_000_000)
        }
        let flags = CInt(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
        do throws(SystemError) {
            try check("timerfd_settime") {
                timerfd_settime(descriptor.rawValue, flags, &time, nil)
            }
        } catch {
            // The clock was set meanwhile: the timer stands, and the descriptor tells of the jump.
            guard error.code == ECANCELED else { throw error }
        }
    }

    /// Makes the descriptor wait again.
    public func clear() {
        var count: UInt64 = 0
        // It fails when there was nothing, and when the clock was set.
        _ = read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size)
    }
}
