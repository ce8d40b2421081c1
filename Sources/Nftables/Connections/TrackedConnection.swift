public import NetTypes
public import Rules

/// A connection that the kernel tracks in one namespace.
public struct TrackedConnection: Hashable, Sendable {
    /// As the first packet went.
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: IPProtocol
    /// Ports, or for ICMP the identifier and the type and code of the first message.
    public let sourcePort: UInt16
    public let destinationPort: UInt16
    /// Where answers come from: another address than `destination` behind a translation.
    public let answerer: IPAddress
    /// The rule that admitted the connection; a class while it has not been judged.
    public let mark: Mark
    /// Seconds until it is forgotten if nothing comes.
    public let timeout: UInt32
}

extension TrackedConnection {
    /// Reads a message of `ctnetlink`; nil for what is no connection of an IP protocol.
    ///
    /// The attributes are those of linux/netfilter/nfnetlink_conntrack.h; numbers are in network
    /// byte order.
    init?(_ message: Message) {
        var original: Tuple?
        var reply: Tuple?
        var mark: UInt32 = 0
        var timeout: UInt32 = 0
        var attributes = message.attributes
        while let attribute = attributes.next() {
            switch attribute.type {
            case 1: original = Tuple(attribute.nested)
            case 2: reply = Tuple(attribute.nested)
            case 7: timeout = UInt32(truncatingIfNeeded: attribute.number)
            case 8: mark = UInt32(truncatingIfNeeded: attribute.number)
            default: break
            }
        }
        guard let original, let source = original.source, let destination = original.destination
        else { return nil }
        self.source = source
        self.destination = destination
        ipProtocol = IPProtocol(rawValue: original.ipProtocol)
        sourcePort = original.sourcePort
        destinationPort = original.destinationPort
        answerer = reply?.source ?? destination
        self.mark = Mark(rawValue: mark)
        self.timeout = timeout
    }

    /// One direction of a connection.
    private struct Tuple {
        var source: IPAddress?
        var destination: IPAddress?
        var ipProtocol: UInt8 = 0
        var sourcePort: UInt16 = 0
        var destinationPort: UInt16 = 0

        init(_ attributes: Attributes) {
            var attributes = attributes
            while let attribute = attributes.next() {
                switch attribute.type {
                case 1: readAddresses(attribute.nested)
                case 2: readProtocol(attribute.nested)
                default: break
                }
            }
        }

        private mutating func readAddresses(_ attributes: Attributes) {
            var attributes = attributes
            while let attribute = attributes.next() {
                switch attribute.type {
                case 1, 3: source = IPAddress(bytes: attribute.payload)
                case 2, 4: destination = IPAddress(bytes: attribute.payload)
                default: break
                }
            }
        }

        private mutating func readProtocol(_ attributes: Attributes) {
            var attributes = attributes
            while let attribute = attributes.next() {
                let number = UInt16(truncatingIfNeeded: attribute.number)
                switch attribute.type {
                case 1: ipProtocol = UInt8(truncatingIfNeeded: number)
                case 2, 4, 7: sourcePort = number
                case 3: destinationPort = number
                case 5, 8: destinationPort = number << 8 | destinationPort & 0xff
                case 6, 9: destinationPort = destinationPort & 0xff00 | number & 0xff
                default: break
                }
            }
        }
    }
}

extension EndpointTable {
    /// The connections that the namespace tracks, in no order.
    public func connections() throws(NftablesError) -> [TrackedConnection] {
        try commands.dump(.connections) { _ in }.compactMap { TrackedConnection($0) }
    }
}
