import NetTypes
import Policy

/// An IP packet as it stands on the wire; the number in its header tells it from others.
struct Packet: Hashable {
    /// What the observer does with a packet that came through, told by the time to live.
    enum Life: UInt8 {
        /// As its mode says.
        case ordinary = 77
        /// It goes on, so that its flow becomes known.
        case lasting = 78
    }

    let source: IPAddress
    let destination: IPAddress
    /// The identification of IPv4 or the flow label of IPv6; never 0.
    let number: UInt16
    var life = Life.ordinary
    /// What the header says that the body starts with.
    let next: UInt8
    /// Of IPv4: the flags and the offset.
    var fragment: UInt16 = 0
    var body: [UInt8]

    var bytes: [UInt8] {
        switch (source, destination) {
        case (.v4(let source), .v4(let destination)): header4(source, destination) + body
        default: header6 + body
        }
    }

    private func header4(_ source: UInt32, _ destination: UInt32) -> [UInt8] {
        var words: [UInt16] = [
            0x4500, UInt16(20 + body.count), number, fragment,
            UInt16(life.rawValue) << 8 | UInt16(next), 0,
            UInt16(source >> 16), UInt16(source & 0xffff),
            UInt16(destination >> 16), UInt16(destination & 0xffff),
        ]
        var sum = words.reduce(UInt32(0)) { $0 + UInt32($1) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        words[5] = ~UInt16(sum)
        return words.flatMap(\.networkBytes)
    }

    private var header6: [UInt8] {
        (UInt32(6) << 28 | UInt32(number)).networkBytes + UInt16(body.count).networkBytes
            + [next, life.rawValue] + source.bytes + destination.bytes
    }
}

extension Packet {
    /// The packet that opens a flow, with nothing about it.
    init(flow: Flow, number: UInt16, life: Life = .ordinary) {
        self.init(
            source: flow.source, destination: flow.destination, number: number, life: life,
            next: flow.ipProtocol.rawValue, body: flow.opening())
    }
}
