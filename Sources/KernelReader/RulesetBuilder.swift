internal import Nftables
internal import Verifier

/// Puts the kernel's answers together.
struct RulesetBuilder {
    /// What a set is found by.
    struct SetKey: Hashable {
        let family: Table.Family
        let table: String
        let name: String
    }

    private struct TableKey: Hashable {
        let family: Table.Family
        let name: String
    }

    private var tables: [Table] = []
    private var places: [TableKey: Int] = [:]
    private(set) var sets: [SetKey] = []
    private var setPlaces: [SetKey: Int] = [:]

    var isEmpty: Bool { tables.isEmpty }
    var ruleset: Ruleset { Ruleset(tables: tables) }

    /// `nfgen_family` is the first byte behind the header.
    private func family(of message: Message) -> Table.Family? {
        message.payload.first.flatMap { Table.Family(rawValue: $0) }
    }

    private func place(of message: Message) -> Int? {
        guard let family = family(of: message), let name = message.attributes.first(1)?.text else {
            return nil
        }
        return places[TableKey(family: family, name: name)]
    }

    mutating func add(table message: Message) {
        guard let family = family(of: message), let name = message.attributes.first(1)?.text else {
            return
        }
        let flags = message.attributes.first(2)?.number ?? 0
        places[TableKey(family: family, name: name)] = tables.count
        tables.append(Table(family: family, name: name, isDormant: flags & 1 != 0))
    }

    mutating func add(chain message: Message) {
        guard let place = place(of: message), let name = message.attributes.first(3)?.text else {
            return
        }
        let attributes = message.attributes
        let base = attributes.first(4)?.nested.first(1).map { hook in
            let nested = attributes.first(4)?.nested
            let device = nested?.first(3).map { [$0.text] } ?? []
            // NFTA_DEVICE_NAME and NFTA_DEVICE_PREFIX, which came with Linux 6.16.
            let devices =
                nested?.first(4)?.nested.map { $0.type == 2 ? $0.text + "*" : $0.text } ?? []
            return Chain.Base(
                hook: UInt32(truncatingIfNeeded: hook.number),
                priority: Int32(truncatingIfNeeded: nested?.first(2)?.number ?? 0),
                type: attributes.first(7)?.text ?? "filter",
                accepts: attributes.first(5)?.number != 0, devices: device + devices)
        }
        tables[place].chains.append(Chain(name: name, base: base))
    }

    /// What has no chain on a hook meets no packet.
    mutating func dropTablesWithoutHooks() {
        tables = tables.filter { table in table.chains.contains { $0.base != nil } }
        places = [:]
        for (index, table) in tables.enumerated() {
            places[TableKey(family: table.family, name: table.name)] = index
        }
    }

    mutating func add(set message: Message) {
        let attributes = message.attributes
        guard let place = place(of: message), let name = attributes.first(2)?.text else { return }
        let table = tables[place]
        let key = SetKey(family: table.family, table: table.name, name: name)
        let fields = attributes.first(9)?.nested.first(2)?.nested.compactMap { item in
            item.nested.first(1).map(Self.keyLength)
        }
        setPlaces[key] = table.sets.count
        sets.append(key)
        tables[place].sets.append(
            NamedSet(
                name: name, flags: UInt32(truncatingIfNeeded: attributes.first(3)?.number ?? 0),
                keyLength: attributes.first(5).map(Self.keyLength) ?? 0, fields: fields ?? []))
    }

    /// The kernel's keys have NFT_DATA_VALUE_MAXLEN bytes at most; memory is taken by this number.
    private static func keyLength(_ attribute: Attribute) -> Int {
        Int(min(attribute.number, 64))
    }

    mutating func add(elements messages: [Message], of key: SetKey) {
        guard let place = places[TableKey(family: key.family, name: key.table)],
            let index = setPlaces[key]
        else { return }
        var found: [FoundElement] = []
        for message in messages {
            for item in message.attributes.first(3)?.nested ?? Attributes([]) {
                found.append(FoundElement(item.nested))
            }
        }
        let set = tables[place].sets[index]
        tables[place].sets[index].elements = FoundElement.joined(found, in: set)
    }

    mutating func add(rule message: Message) {
        let attributes = message.attributes
        guard let place = place(of: message), let name = attributes.first(2)?.text,
            let chain = tables[place].chains.firstIndex(where: { $0.name == name })
        else { return }
        let expressions = (attributes.first(4)?.nested ?? Attributes([])).map {
            Expression(reading: $0.nested)
        }
        tables[place].chains[chain].rules.append(
            TableRule(
                handle: attributes.first(3)?.number ?? 0,
                comment: attributes.first(7).flatMap { Comment.text(in: $0.payload) },
                expressions: expressions))
    }
}

/// The user data in which `nft` keeps comments: types, lengths, and text that ends with a NUL.
enum Comment {
    static func text(in data: ArraySlice<UInt8>) -> String? {
        var rest = data
        while rest.count >= 2 {
            let type = rest[rest.startIndex]
            let length = Int(rest[rest.startIndex + 1])
            let body = rest.dropFirst(2).prefix(length)
            // NFTNL_UDATA_RULE_COMMENT and NFTNL_UDATA_SET_ELEM_COMMENT
            if type == 0 { return String(decoding: body.prefix { $0 != 0 }, as: UTF8.self) }
            rest = rest.dropFirst(2 + length)
        }
        return nil
    }
}
