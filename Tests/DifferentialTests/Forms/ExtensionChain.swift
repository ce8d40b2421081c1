import HostFilter
import NetTypes
import Policy

/// IPv6 extension headers, one after another.
struct ExtensionChain: Hashable {
    struct Header: Hashable {
        let number: UInt8
        /// In bytes, a multiple of 8.
        let length: Int
        /// Of a routing header.
        var segmentsLeft: UInt8 = 0
    }

    var headers: [Header] = []

    /// IANA protocol numbers.
    static let hopByHop: UInt8 = 0
    static let routing: UInt8 = 43
    static let fragment: UInt8 = 44
    static let authentication: UInt8 = 51
    static let destinationOptions: UInt8 = 60

    /// How many headers the host filter follows: docs/host-filter.md.
    static let bound = 8

    var length: Int { headers.reduce(0) { $0 + $1.length } }

    /// What the header before the chain says that follows.
    func first(before next: UInt8) -> UInt8 { headers.first?.number ?? next }

    /// The headers, and what the last one says that follows.
    func bytes(before next: UInt8) -> [UInt8] {
        headers.indices.flatMap { index in
            headers[index].bytes(
                before: index + 1 < headers.count ? headers[index + 1].number : next)
        }
    }

    var hasAuthentication: Bool { headers.contains { $0.number == Self.authentication } }

    /// What is left when connection tracking has put an atomic fragment together.
    var defragmented: ExtensionChain {
        var left = self
        if let index = headers.firstIndex(where: { $0.number == Self.fragment }) {
            left.headers.remove(at: index)
        }
        return left
    }

    /// How nftables sees what stands behind the chain: its own walk ends at an authentication
    /// header, and connection tracking's doesn't.
    func seen(_ flow: Flow) -> PacketKey {
        let next = flow.ipProtocol.rawValue
        guard let index = headers.firstIndex(where: { $0.number == Self.authentication }) else {
            return PacketKey(flow)
        }
        let rest = ExtensionChain(headers: Array(headers[index...])).bytes(before: next)
        return PacketKey(
            ipProtocol: Self.authentication, start: UInt16(rest[0]) << 8 | UInt16(rest[1]))
    }

    /// Why the host filter refuses a packet whose chain starts after some other headers, of which
    /// it sees so many bytes; nil where it reaches the end.
    func refusal(after earlier: Int = 0, available: Int, isFragment: Bool = false) -> HostRefusal? {
        var size = 0
        for (index, header) in headers.enumerated() {
            let count = earlier + index
            if count >= Self.bound || header.number == Self.hopByHop && count > 0 {
                return .extensionHeaders
            }
            if size + 8 > available { return isFragment ? .fragment : .malformed }
            // A second one, when the first made it a fragment.
            if header.number == Self.fragment, isFragment { return .extensionHeaders }
            if header.number == Self.routing, header.segmentsLeft > 0 { return .extensionHeaders }
            size += header.length
            if size > available { return isFragment ? .fragment : .malformed }
        }
        return nil
    }
}

extension ExtensionChain.Header {
    fileprivate func bytes(before next: UInt8) -> [UInt8] {
        let rest = [UInt8](repeating: 0, count: length - 8)
        switch number {
        case ExtensionChain.fragment:
            // Atomic: it starts at 0 and nothing follows (RFC 6946). What is cut into pieces is
            // identified by its number, so nothing of that waits under this one.
            return [next, 0, 0, 0, 0x80, 0, 0, 7]
        case ExtensionChain.authentication:
            // Counted in words of 4 bytes, without two of them: RFC 4302, 2.2.
            return [next, UInt8(length / 4 - 2), 0, 0, 0, 0, 0, 1] + rest
        case ExtensionChain.routing:
            // Of a type for experiments: RFC 4727.
            return [next, UInt8(length / 8 - 1), 253, segmentsLeft, 0, 0, 0, 0] + rest
        default:
            // One option that fills the header, of a type for experiments that everybody skips.
            return [next, UInt8(length / 8 - 1), 0x1e, UInt8(length - 4), 0, 0, 0, 0] + rest
        }
    }
}
