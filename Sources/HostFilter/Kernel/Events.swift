internal import CBPF
internal import Glibc
internal import Linux

/// The ring that tells of refused flows; only that something came matters, the maps have the rest.
final class Events {
    private let ring: OpaquePointer
    /// As long as it is open the ring is watched: epoll(7) forgets a file that nobody has open.
    private let map: Descriptor
    /// Readable when something came.
    let descriptor: CInt

    init(_ map: borrowing Descriptor) throws(BPFError) {
        let copy = fcntl(map.rawValue, F_DUPFD_CLOEXEC, 0)
        if copy < 0 { throw BPFError("duplicate a descriptor", code: errno) }
        self.map = Descriptor(owning: copy)
        guard let ring = ring_buffer__new(copy, { _, _, _ in 0 }, nil, nil) else {
            throw BPFError("open the ring of refused flows", code: 12)
        }
        self.ring = ring
        descriptor = ring_buffer__epoll_fd(ring)
    }

    deinit { ring_buffer__free(ring) }

    /// Takes everything out; answers how much there was.
    func drain() -> Int { Int(ring_buffer__consume(ring)) }
}
