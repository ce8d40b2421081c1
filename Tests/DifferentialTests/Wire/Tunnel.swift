import Glibc
import Linux

/// A tun device: what is written to it arrives in its namespace as if from a wire.
struct Tunnel: ~Copyable {
    static let name = "t0"
    private let descriptor: Descriptor

    /// Makes the device in the calling thread's namespace.
    ///
    /// The system call is `ioctl` with TUNSETIFF of linux/if_tun.h.
    init() throws(SystemError) {
        let opened = try Descriptor(opening: "/dev/net/tun", flags: O_RDWR | O_NONBLOCK)
        var request = [UInt8](repeating: 0, count: 40)
        for (index, byte) in Self.name.utf8.enumerated() { request[index] = byte }
        // IFF_TUN, and IFF_NO_PI: nothing but the IP packet is read and written.
        request[16] = 0x01
        request[17] = 0x10
        let raw = opened.rawValue
        try check("ioctl(TUNSETIFF)") { ioctl(raw, 0x4004_54ca, &request) }
        descriptor = opened
    }

    func receive(_ packet: [UInt8]) throws(SystemError) {
        try check("write", on: "tun device") {
            write(descriptor.rawValue, packet, packet.count)
        }
    }

    /// Reads and drops what the namespace sent, so that the device's queue does not fill.
    func drain() {
        var buffer = [UInt8](repeating: 0, count: 2048)
        while read(descriptor.rawValue, &buffer, buffer.count) > 0 {}
    }
}
