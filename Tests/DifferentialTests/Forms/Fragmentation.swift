import NetTypes
import Policy

/// Which fragments a packet is sent in.
struct Fragmentation: Hashable {
    struct Piece: Hashable {
        /// In bytes, both multiples of 8 but for the end of the last one.
        let range: Range<Int>
        let isLast: Bool
        /// Its bytes are others than the packet's: another destination port in a first one.
        var isForged = false
    }

    /// Of IPv6: what stands before the fragment header in each piece.
    var before = ExtensionChain()
    /// Of IPv6: what stands at the start of what is cut into pieces.
    var after = ExtensionChain()
    /// How many bytes the transport part is longer than needed.
    let padding: Int
    let pieces: [Piece]

    /// The headers of the packet once it is put together.
    var whole: ExtensionChain { ExtensionChain(headers: before.headers + after.headers) }

    /// The headers of a first piece that is not put together.
    var alone: ExtensionChain {
        let own = ExtensionChain.Header(number: ExtensionChain.fragment, length: 8)
        return ExtensionChain(headers: before.headers + [own] + after.headers)
    }

    /// Whether connection tracking leaves a first piece alone: of IPv6 it has to hold all headers,
    /// the transport's as well (RFC 8200, 4.5; ipv6frag_thdr_truncated of net/ipv6/reassembly.c).
    func isLeftAlone(_ piece: Piece, of flow: Flow) -> Bool {
        guard piece.range.lowerBound == 0, flow.source.family == .v6 else { return false }
        var size = 0
        for header in after.headers {
            // What stands after it can't be found, which is not asked further.
            if size + 2 > piece.range.count { return false }
            size += header.length
        }
        let needed =
            switch flow.ipProtocol {
            case .tcp: 20
            case .udp, .icmpv6: 8
            default: 1
            }
        return size + needed > piece.range.count
    }
}

/// What connection tracking makes of the fragments of one packet.
///
/// Duplicates are ignored; what overlaps otherwise makes it forget all that came: RFC 5722, and RFC
/// 8200, 4.5. Linux does the same for IPv4 (inet_frag_queue_insert of net/ipv4/inet_fragment.c).
struct Reassembly {
    /// Ranges that came one right after the other are one.
    private var runs: [Range<Int>] = []
    private var holder: Fragmentation.Piece?
    private var end: Int?

    /// The piece that a byte was taken from, of a packet that is whole with this piece.
    mutating func take(_ piece: Fragmentation.Piece, byte: Int) -> Fragmentation.Piece? {
        let range = piece.range
        if piece.isLast { end = range.upperBound }
        if runs.contains(where: { $0.contains(range) }) { return nil }
        guard !runs.contains(where: { $0.overlaps(range) }) else {
            self = Reassembly()
            return nil
        }
        if range.contains(byte) { holder = piece }
        let tail = runs.indices.max { runs[$0].lowerBound < runs[$1].lowerBound }
        if let tail, runs[tail].upperBound == range.lowerBound {
            runs[tail] = runs[tail].lowerBound..<range.upperBound
        } else {
            runs.append(range)
        }
        guard let end, runs.reduce(0, { $0 + $1.count }) == end else { return nil }
        defer { self = Reassembly() }
        return holder
    }
}
