import Glibc
import Linux
import NetTypes

/// A socket of packet(7) at the interface of a namespace: what it sends passes none of the namespace's hooks.
final class LinkSocket: Sendable {
    private let descriptor: Descriptor
    private let offloads: Bool

    /// - Parameters:
    ///   - name: The namespace.
    ///   - rig: Where it is.
    ///   - offloads: Whether a `struct virtio_net_hdr` stands before each frame: PACKET_VNET_HDR.
    /// - Throws: What the kernel refused.
    init(in name: String, of rig: Rig, offloads: Bool = false) throws {
        self.offloads = offloads
        let raw = try rig.namespace(name).run { () throws(SystemError) in
            try Self.open(offloads: offloads)
        }
        descriptor = Descriptor(owning: raw)
    }

    private static func open(offloads: Bool) throws(SystemError) -> CInt {
        let raw = try check("socket", on: "AF_PACKET") {
            socket(AF_PACKET, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        // linux/if_packet.h: SOL_PACKET, PACKET_VNET_HDR.
        var one: CInt = offloads ? 1 : 0
        try check("setsockopt", on: "PACKET_VNET_HDR") {
            setsockopt(raw, 263, 15, &one, socklen_t(MemoryLayout<CInt>.size))
        }
        // struct sockaddr_ll: the family, no protocol, the link, and padding.
        let family = withUnsafeBytes(of: sa_family_t(AF_PACKET)) { Array($0) }
        let index = withUnsafeBytes(of: if_nametoindex("eth0")) { Array($0) }
        let address = family + [0, 0] + index + [UInt8](repeating: 0, count: 12)
        try check("bind", on: "eth0") {
            address.withUnsafeBytes { bytes in
                bind(
                    raw, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        }
        return raw
    }

    /// What a device is to do later with a frame: `struct virtio_net_hdr` of linux/virtio_net.h.
    struct Offload {
        /// Where the sum of the pending checksum starts, and where it is written from there.
        var checksum: (start: UInt16, offset: UInt16)?
        /// VIRTIO_NET_HDR_GSO_*, the headers' length, and what a segment holds.
        var segments: (type: UInt8, headers: UInt16, size: UInt16)?

        fileprivate var bytes: [UInt8] {
            let words = [
                segments?.headers ?? 0, segments?.size ?? 0, checksum?.start ?? 0,
                checksum?.offset ?? 0,
            ]
            return [checksum == nil ? 0 : 1, segments?.type ?? 0]
                + words.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
        }
    }

    /// Sends a frame from its Ethernet header on.
    ///
    /// - Throws: What the kernel refused; EINVAL where an offload is none.
    func send(_ frame: [UInt8], _ offload: Offload = Offload()) throws(SystemError) {
        let bytes = (offloads ? offload.bytes : []) + frame
        _ = try check("send", on: "AF_PACKET") {
            CInt(Glibc.send(descriptor.rawValue, bytes, bytes.count, 0))
        }
    }
}

extension Rig {
    /// The link-layer address of a namespace's interface.
    func hardwareAddress(_ name: String) async throws -> [UInt8] {
        let shown = try await run("ip", "-o", "link", "show", "eth0", in: name)
        let words = shown.output.split(whereSeparator: \.isWhitespace)
        let index = words.firstIndex(of: "link/ether").map { $0 + 1 } ?? words.endIndex
        guard index < words.endIndex else { throw NotInTime(what: "the MAC of \(name)") }
        return words[index].split(separator: ":").compactMap { UInt8($0, radix: 16) }
    }
}
