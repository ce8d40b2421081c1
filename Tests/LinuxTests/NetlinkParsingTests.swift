import NetTypes
import Testing

@testable import Linux

@Suite struct NetlinkParsingTests {
    /// A link message: family header, then a name, a kind and an address.
    static let link: [UInt8] = {
        var request = NetlinkRequest("test", type: 16, flags: 0)
        request.append(zeros: 4)
        request.append(field: Int32(7))
        request.append(field: UInt32(1))
        request.append(zeros: 4)
        request.append(3, "eth0")
        request.append(nest: 18) { $0.append(1, "veth") }
        request.append(5, Int32(9))
        return request.bytes(sequence: 5)
    }()

    private func answer(_ bytes: [UInt8]) throws(NetlinkParseError) -> NetlinkAnswer<Link> {
        var answer = NetlinkAnswer(to: 5) { _, payload throws(NetlinkParseError) in
            try Link(payload)
        }
        try answer.append(bytes)
        return answer
    }

    @Test func `reads what it wrote`() throws {
        let link = try #require(try answer(Self.link).values.first)
        #expect(link.index == 7)
        #expect(link.name == "eth0")
        #expect(link.kind == "veth")
        #expect(link.isUp)
        #expect(link.peerIndex == 9)
    }

    @Test func `every message that is cut short is refused, and none is read beyond`() {
        for length in 1..<Self.link.count {
            #expect(throws: NetlinkParseError.self) { try answer(Array(Self.link.prefix(length))) }
        }
    }

    @Test(arguments: [
        [UInt8](repeating: 0, count: 16),
        [0xff, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 12),
        [15, 0, 0, 0] + [UInt8](repeating: 0, count: 12),
        [1],
    ])
    func `refuses lengths that lie`(_ bytes: [UInt8]) {
        #expect(throws: NetlinkParseError.self) { try answer(bytes) }
    }

    @Test(arguments: [[0, 0, 3, 0], [3, 0, 3, 0], [9, 0, 3, 0], [255, 255, 3, 0], [4, 0]])
    func `refuses attributes that lie`(_ bytes: [UInt8]) {
        var attributes = NetlinkAttributes(bytes[...])
        #expect(throws: NetlinkParseError.truncatedAttribute(offset: 0)) { try attributes.next() }
    }

    @Test func `random damage never hangs or crashes`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = Self.link
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                bytes[index] = [0, 1, 4, 255, UInt8.random(in: 0...255)].randomElement() ?? 0
            }
            _ = try? answer(bytes)
            _ = try? InterfaceAddress(bytes[...])
            _ = bytes.withUnsafeBytes { inotifyEvents(in: $0) }
        }
    }

    @Test func `tells a refusal with the kernel's words, and an interrupted dump`() throws {
        var refusal = NetlinkRequest("test", type: 2, flags: 0x200)
        refusal.append(field: Int32(-17))
        refusal.append(zeros: 16)
        refusal.append(1, "no such thing")
        let refused = try answer(refusal.bytes(sequence: 5))
        #expect(refused.isComplete)
        #expect(refused.refusal?.code == 17)
        #expect(refused.refusal?.text == "no such thing")

        var done = NetlinkRequest("test", type: 3, flags: 0x10)
        done.append(field: Int32(0))
        let interrupted = try answer(Self.link + done.bytes(sequence: 5))
        #expect(interrupted.wasInterrupted)
        #expect(interrupted.isComplete)
    }

    @Test func `passes over what answers another request`() throws {
        var done = NetlinkRequest("test", type: 3, flags: 0)
        done.append(field: Int32(0))
        #expect(try !answer(done.bytes(sequence: 4)).isComplete)
    }

    @Test func `leaves out an address that another host has`() throws {
        var message = NetlinkRequest("test", type: 20, flags: 0)
        message.append(zeros: 8)
        message.append(1, bytes: [UInt8](repeating: 1, count: 16))
        let payload = message.bytes(sequence: 5).dropFirst(16)
        #expect(try InterfaceAddress(payload) != nil)
        message.append(8, UInt32(0x08))
        #expect(try InterfaceAddress(message.bytes(sequence: 5).dropFirst(16)) == nil)
    }

    @Test func `an own address comes before the other end's`() throws {
        var message = NetlinkRequest("test", type: 20, flags: 0)
        message.append(zeros: 8)
        message.append(1, bytes: [10, 0, 0, 2])
        message.append(2, bytes: [10, 0, 0, 1])
        let address = try InterfaceAddress(message.bytes(sequence: 5).dropFirst(16))
        #expect(address?.address == .v4(0x0a00_0001))
    }
}
