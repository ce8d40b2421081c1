private import CLinux
private import Glibc

/// Waits for many descriptors at once.
///
/// The system calls are `epoll_ctl` and `epoll_wait`.
public struct Poller: ~Copyable, Sendable {
    /// What to wait for; the end of the other side and errors always count.
    public enum Interest: Hashable, Sendable {
        case readable
        case writable
        /// What `/proc/self/mountinfo` shows when mounts change.
        case priority
    }

    private let descriptor: Descriptor

    public init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try check("epoll_create1") { epoll_create1(CInt(O_CLOEXEC)) })
    }

    /// Waits for the descriptor from now on and reports it by the token.
    public borrowing func add(
        _ watched: CInt, token: UInt64, for interest: Interest = .readable
    ) throws(SystemError) {
        var event = epoll_event(events: interest.mask, data: epoll_data_t(u64: token))
        try check("epoll_ctl", on: "descriptor \(watched)") {
            epoll_ctl(descriptor.rawValue, EPOLL_CTL_ADD, watched, &event)
        }
    }

    /// Forgets a descriptor that is still open; closing one does it as well.
    public borrowing func remove(_ watched: CInt) throws(SystemError) {
        try check("epoll_ctl", on: "descriptor \(watched)") {
            epoll_ctl(descriptor.rawValue, EPOLL_CTL_DEL, watched, nil)
        }
    }

    /// The tokens of the descriptors that are ready, none after the time or a signal.
    ///
    /// At most 256 come at a time; the others come with the next call. Without a time it waits for
    /// ever.
    public borrowing func wait(milliseconds: Int32? = nil) throws(SystemError) -> [UInt64] {
        let capacity = 256
        return try withEvents(capacity) { events throws(SystemError) in
            let count = epoll_wait(
                descriptor.rawValue, events.baseAddress, CInt(capacity), milliseconds ?? -1)
            guard count >= 0 else {
                let code = errno
                if code == EINTR { return [] }
                throw SystemError("epoll_wait", code: code)
            }
            return events.prefix(Int(count)).map(\.data.u64)
        }
    }

    private borrowing func withEvents(
        _ capacity: Int,
        _ body: (UnsafeMutableBufferPointer<epoll_event>) throws(SystemError) -> [UInt64]
    ) throws(SystemError) -> [UInt64] {
        let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: capacity)
        events.initialize(repeating: epoll_event())
        defer { events.deallocate() }
        return try body(events)
    }
}

extension Poller.Interest {
    fileprivate var mask: UInt32 {
        switch self {
        case .readable: EPOLLIN.rawValue
        case .writable: EPOLLOUT.rawValue
        case .priority: EPOLLPRI.rawValue
        }
    }
}
