import Foundation
import Glibc
import Linux

/// The other end of a sink.
final class Receiver: Sendable {
    private let descriptor: Descriptor

    private init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// A datagram socket in the file system.
    init(path: String) throws {
        let made = Descriptor(
            owning: try check("socket") {
                socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        try check("bind", on: path) {
            withUnsafeBytes(of: &name) {
                bind(
                    made.rawValue, $0.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t($0.count))
            }
        }
        descriptor = made
    }

    static func udp() throws -> (receiver: Receiver, port: UInt16) {
        var port: UInt16 = 0
        let made = try bound(SOCK_DGRAM, &port)
        return (Receiver(made), port)
    }

    static func tcp() throws -> (receiver: Receiver, port: UInt16) {
        var port: UInt16 = 0
        let made = try bound(SOCK_STREAM, &port)
        try check("listen") { listen(made.rawValue, 8) }
        return (Receiver(made), port)
    }

    private static func bound(_ kind: __socket_type, _ port: inout UInt16) throws -> Descriptor {
        let made = Descriptor(
            owning: try check("socket") {
                socket(AF_INET, CInt(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try withUnsafeMutablePointer(to: &name) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                try check("bind") { bind(made.rawValue, generic, length) }
                try check("getsockname") { getsockname(made.rawValue, generic, &length) }
            }
        }
        port = UInt16(bigEndian: name.sin_port)
        return made
    }

    /// The next connection; nil if none comes in ten seconds.
    func accepted() throws -> Receiver? {
        guard isReadable(10_000) else { return nil }
        return Receiver(
            Descriptor(owning: try check("accept") { accept(descriptor.rawValue, nil, nil) }))
    }

    /// The next datagram; nil if none comes in that many milliseconds.
    func message(waiting milliseconds: CInt = 10_000) -> String? {
        guard isReadable(milliseconds) else { return nil }
        return read(1 << 17)
    }

    /// The next message of a stream, its length taken off.
    func countedMessage() -> String? {
        var digits = ""
        while isReadable(10_000), let digit = read(1), digit != " " { digits += digit }
        guard let length = Int(digits) else { return nil }
        var text = ""
        while text.utf8.count < length, isReadable(10_000),
            let more = read(length - text.utf8.count)
        {
            text += more
        }
        return text
    }

    private func isReadable(_ milliseconds: CInt) -> Bool {
        var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) == 1
    }

    private func read(_ count: Int) -> String? {
        var buffer = [UInt8](repeating: 0, count: count)
        let length = recv(descriptor.rawValue, &buffer, count, 0)
        return length > 0 ? String(decoding: buffer.prefix(length), as: UTF8.self) : nil
    }
}
