private import CLinux
private import Glibc

/// Wakes a poller up from any thread.
///
/// The system call is `eventfd`.
public struct Wakeup: ~Copyable, Sendable {
    /// Readable after `signal()` until `clear()`.
    public let descriptor: Descriptor

    public init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try check("eventfd") { eventfd(0, CInt(O_CLOEXEC | O_NONBLOCK)) })
    }

    /// Makes the descriptor readable.
    public func signal() {
        var one: UInt64 = 1
        // It fails only when the counter is full, and then the descriptor is readable anyway.
        _ = write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Makes the descriptor wait for the next signal.
    public func clear() {
        var count: UInt64 = 0
        // It fails only when there was no signal.
        _ = read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size)
    }
}
