internal import NetTypes

/// Something about a packet, its flow or its way that rules can look at.
enum Field: Hashable {
    /// The packet's own addresses as they are on the wire.
    case source
    case destination
    /// The protocol behind all IP headers.
    case layer4
    case hopLimit
    /// The numbers of the interfaces; 0 is none.
    case input
    case output
    /// What the flow's first packet has at the places of ports, as connection tracking keeps it.
    case flowSource
    case flowDestination
    case connectionMark
    case connectionStatus
    case packetMark
    /// The other side of a flow that an error message is about, and this side.
    case flowPeer
    case flowSelf
    /// A byte of a header that has no name here.
    case payload(Expression.PayloadBase, offset: Int)
    case meta(UInt32)
    /// Something about the flow, and in which direction it is asked for (2 is none).
    case ct(UInt32, UInt8)
    /// Whether an IPv6 packet has headers between the first and the last.
    case hasExtensions
    /// A header option's byte, or whether it is there.
    case header(kind: UInt32, type: UInt8, offset: Int)
    /// How many bytes there are from the start of a header on.
    case length(Expression.PayloadBase)
    /// Something that time or chance decides at a rule.
    case chance(chain: Int, rule: Int, expression: Int)
    /// What a map gives for another field, which stays as open as that is.
    case image(ImageReference)
}

/// The fields that a run has met, numbered in the order in which it met them.
struct FieldTable {
    private(set) var fields: [Field] = []
    private(set) var widths: [Int] = []
    /// For each field, what it is made of where it is no property of the packet.
    private(set) var images: [ImageReference?] = []
    private(set) var hasImages = false
    private var numbers: [Field: Int] = [:]

    /// Those that have a fixed number.
    static let common: [Field] = [
        .source, .destination, .layer4, .hopLimit, .input, .output, .flowSource, .flowDestination,
        .connectionMark, .connectionStatus, .packetMark, .flowPeer, .flowSelf,
    ]

    init(_ family: AddressFamily) {
        let address = family == .v4 ? 4 : 16
        let common = [address, address, 1, 1, 4, 4, 2, 2, 4, 4, 4, address, address]
        for (field, width) in zip(Self.common, common) {
            _ = number(of: field, width: width)
        }
    }

    mutating func number(of field: Field, width: Int = 1) -> Int {
        if let number = numbers[field] { return number }
        numbers[field] = fields.count
        fields.append(field)
        widths.append(width)
        if case .image(let reference) = field {
            images.append(reference)
            hasImages = true
        } else {
            images.append(ImageReference?.none)
        }
        return fields.count - 1
    }

    /// The number of a field that was met before.
    func known(_ field: Field) -> Int? { numbers[field] }
}

/// The places of the fields that are always there.
enum Place {
    static let source = 0
    static let destination = 1
    static let layer4 = 2
    static let hopLimit = 3
    static let input = 4
    static let output = 5
    static let flowSource = 6
    static let flowDestination = 7
    static let connectionMark = 8
    static let connectionStatus = 9
    static let packetMark = 10
    static let flowPeer = 11
    static let flowSelf = 12
}

/// Packets: for each field the values that it may have, independent of those of others.
struct Space: Hashable {
    /// Only fields that have been narrowed are listed, in ascending order: few are.
    private var entries: [Entry] = []

    private struct Entry: Hashable {
        let field: Int
        var domain: Domain
    }

    func domain(_ field: Int, width: Int) -> Domain { narrowed(field) ?? .all(bytes: width) }

    /// The domain where it is narrower than everything.
    func narrowed(_ field: Int) -> Domain? {
        for entry in entries where entry.field >= field {
            return entry.field == field ? entry.domain : nil
        }
        return nil
    }

    mutating func set(_ field: Int, _ domain: Domain) {
        let index = entries.firstIndex { $0.field >= field } ?? entries.count
        if index < entries.count, entries[index].field == field {
            entries[index].domain = domain
        } else {
            entries.insert(Entry(field: field, domain: domain), at: index)
        }
    }

    func setting(_ field: Int, _ domain: Domain) -> Space {
        var copy = self
        copy.set(field, domain)
        return copy
    }

    /// One more than the highest field that has been narrowed.
    var count: Int { entries.last.map { $0.field + 1 } ?? 0 }
}
