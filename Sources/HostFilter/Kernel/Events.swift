internal import CBPF
internal import Linux

/// The ring that tells of refused flows; only that something came matters, the maps have the rest.
final class Events {
    private let ring: OpaquePointer
    /// Readable when something came.
    let descriptor: CInt

    init(_ map: borrowing Descriptor) throws(BPFError) {
        guard let ring = ring_buffer__new(map.rawValue, { _, _, _ in 0 }, nil, nil) else {
            throw BPFError("open the ring of refused flows", code: 12)
        }
        self.ring = ring
        descriptor = ring_buffer__epoll_fd(ring)
    }

    deinit { ring_buffer__free(ring) }

    /// Takes everything out; answers how much there was.
    func drain() -> Int { Int(ring_buffer__consume(ring)) }
}
