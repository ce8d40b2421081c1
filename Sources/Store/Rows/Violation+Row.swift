internal import Foundation
internal import GRDB
internal import NetTypes
internal import Policy
internal import Reports

extension ViolationRecord {
    private static let columns = [
        "key", "first", "last", "source_kind", "source_name", "source_address", "source_tenant",
        "source_endpoint", "destination_kind", "destination_name", "destination_address",
        "destination_tenant", "destination_endpoint", "protocol", "source_port",
        "destination_port", "message_type", "message_code", "direction", "layer", "reason",
        "packets", "bytes", "closest", "generation", "flows", "source_party", "destination_party",
    ]

    private static let upsert = """
        INSERT INTO violation (\(columns.joined(separator: ", ")))
        VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
        ON CONFLICT (key) DO UPDATE SET
            last = max(last, excluded.last),
            packets = max(packets, excluded.packets),
            bytes = max(bytes, excluded.bytes),
            flows = max(coalesce(flows, excluded.flows), coalesce(excluded.flows, flows)),
            closest = coalesce(excluded.closest, closest),
            generation = excluded.generation
        """

    /// Keeps the record; of one that is there already, what grew.
    func write(to database: Database, key: ViolationKey, closest: inout ClosestTexts) throws {
        let (from, to) = (violation.source, violation.destination)
        try database.cachedStatement(sql: Self.upsert).execute(
            arguments: [
                Data(key.bytes), kept(violation.first), kept(violation.last),
                source.kind.rawValue, kept(source.name), Data(from.address.bytes),
                kept(from.tenant), kept(from.endpoint),
                destination.kind.rawValue, kept(destination.name), Data(to.address.bytes),
                kept(to.tenant), kept(to.endpoint),
                violation.ipProtocol.rawValue, violation.ports?.source,
                violation.ports?.destination, violation.message?.type, violation.message?.code,
                violation.direction.rawValue, violation.layer.rawValue, violation.reason.rawValue,
                kept(violation.packets), kept(violation.bytes),
                try closest.text(of: violation.closest), kept(violation.generation),
                violation.flows.map(kept), from.party?.rawValue, to.party?.rawValue,
            ])
    }

    init(_ row: Row) throws {
        let violation = Violation(
            first: try row.moment("first"), last: try row.moment("last"),
            source: try row.end("source"), destination: try row.end("destination"),
            ipProtocol: IPProtocol(rawValue: try row.number("protocol")),
            ports: try row.pair("source_port", "destination_port").map {
                .init(source: $0, destination: $1)
            },
            message: try row.pair("message_type", "message_code").map {
                .init(type: $0, code: $1)
            },
            direction: try row.choice("direction"), layer: try row.choice("layer"),
            reason: try row.choice("reason"), packets: try row.number("packets"),
            bytes: try row.number("bytes"), flows: try row.optionalNumber("flows"),
            closest: row.optionalText("closest") == nil ? nil : try row.json("closest"),
            generation: try row.number("generation"))
        self.init(
            violation, source: try row.party("source"), destination: try row.party("destination"))
    }
}

extension Row {
    func party(_ side: String) throws -> PartyName {
        PartyName(kind: try choice("\(side)_kind"), name: try text("\(side)_name"))
    }

    fileprivate func end(_ side: String) throws -> ViolationEnd {
        guard let bytes = self["\(side)_address"] as Data?, let address = IPAddress(bytes: bytes)
        else { throw Unreadable(column: "\(side)_address") }
        return ViolationEnd(
            address: address, tenant: optionalText("\(side)_tenant"),
            endpoint: optionalText("\(side)_endpoint"),
            party: try optionalChoice("\(side)_party"))
    }

    fileprivate func pair<Number: FixedWidthInteger>(
        _ one: String, _ other: String
    ) throws -> (Number, Number)? {
        guard let first = try optionalNumber(one) as Number?,
            let second = try optionalNumber(other) as Number?
        else { return nil }
        return (first, second)
    }
}

/// The JSON of explanations within one batch: most of its flows lack the same.
struct ClosestTexts {
    private var texts: [Explanation: String] = [:]

    mutating func text(of closest: Explanation?) throws -> String? {
        guard let closest else { return nil }
        if let text = texts[closest] { return text }
        let text = try json(closest)
        texts[closest] = text
        return text
    }
}
