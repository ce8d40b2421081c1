/// A ruleset with all names resolved, ready to be followed.
struct FlatRuleset {
    private(set) var chains: [FlatChain] = []
    private(set) var sets: [SetIndex] = []
    /// By set: whether rules change it.
    private(set) var changing: [Bool] = []
    private var setNumbers: [[String: Int]] = []
    private var chainNumbers: [[String: Int]] = []
    let tables: [Table]
    /// Whether no rule reads a register that it has not written itself.
    let isTidy: Bool

    struct FlatChain {
        let table: Int
        let chain: Chain
        let rules: [[Operation]]
        /// Whether whatever comes here is dropped and nothing else is done that later packets see.
        var drops = false
    }

    /// An expression with the number of the set or chain that it names.
    struct Operation {
        let expression: Expression
        let target: Int
    }

    init(_ ruleset: Ruleset) {
        tables = ruleset.tables
        for (number, table) in tables.enumerated() {
            var names: [String: Int] = [:]
            let layouts = KeyLayouts(table)
            for set in table.sets {
                names[set.name] = sets.count
                sets.append(SetIndex(set, parts: layouts.parts(of: set)))
            }
            setNumbers.append(names)
            var places: [String: Int] = [:]
            for chain in table.chains {
                places[chain.name] = chains.count
                chains.append(FlatChain(table: number, chain: chain.withDevices, rules: []))
            }
            chainNumbers.append(places)
        }
        changing = Array(repeating: false, count: sets.count)
        isTidy = tables.allSatisfy { table in
            let keys = Dictionary(
                table.sets.map { ($0.name, $0.keyLength) }, uniquingKeysWith: { max($0, $1) })
            return table.chains.allSatisfy { $0.rules.allSatisfy { $0.readsOwnOnly(keys) } }
        }
        for index in chains.indices { resolve(index, skipsIdle: isTidy) }
        // A chain that drops by leading to one that does is found in a later round.
        for _ in 0..<4 {
            for index in chains.indices where !chains[index].drops {
                chains[index].drops = drops(chains[index])
            }
        }
    }

    private mutating func resolve(_ index: Int, skipsIdle: Bool) {
        let flat = chains[index]
        let rules = flat.chain.rules.map { rule in
            rule.expressions.map {
                Operation(expression: $0, target: target(of: $0, in: flat.table))
            }
        }
        for operation in rules.joined() {
            if case .dynset = operation.expression, operation.target >= 0 {
                changing[operation.target] = true
            }
        }
        // A rule that counts, logs or remembers, and no more, makes no kinds of packets.
        let kept = zip(rules, flat.chain.rules).map { operations, rule in
            skipsIdle && rule.isIdle ? [] : operations
        }
        chains[index] = FlatChain(table: flat.table, chain: flat.chain, rules: kept)
    }

    private func target(of expression: Expression, in table: Int) -> Int {
        switch expression {
        case .lookup(let name, _, _, _), .dynset(let name, _, _, _):
            setNumbers[table][name] ?? -1
        case .verdict(.jump(let name)), .verdict(.goTo(let name)): chain(name, in: table)
        default: -1
        }
    }

    /// The chains that rules of base chains go to for good, and that may let packets pass.
    var judging: Set<Int> {
        var found: Set<Int> = []
        for flat in chains where flat.chain.base != nil {
            for operation in flat.rules.joined() {
                if case .verdict(.goTo) = operation.expression, operation.target >= 0,
                    !chains[operation.target].drops
                {
                    found.insert(operation.target)
                }
            }
        }
        return found
    }

    /// The number of a table's chain; -1 where there is none.
    func chain(_ name: String, in table: Int) -> Int { chainNumbers[table][name] ?? -1 }

    private func drops(_ flat: FlatChain) -> Bool {
        for rule in flat.rules {
            guard rule.allSatisfy({ isQuiet($0) }) else { return false }
            let isUnconditional = rule.allSatisfy {
                switch $0.expression {
                case .harmless, .verdict, .reject: true
                default: false
                }
            }
            if isUnconditional, let last = rule.last, leadsToDrop(last) { return true }
        }
        return false
    }

    /// Whether the expression can do nothing to the packet but drop it or not match.
    private func isQuiet(_ operation: Operation) -> Bool {
        switch operation.expression {
        case .payload, .meta, .ct, .compare, .range, .mask, .shift, .byteorder, .load, .harmless,
            .sometimes, .unknowable, .header, .dynset, .reject:
            true
        case .lookup(_, _, let into, _): into != -1
        case .verdict(let verdict):
            switch verdict {
            case .drop, .goOn: true
            case .jump, .goTo: leadsToDrop(operation)
            default: false
            }
        default: false
        }
    }

    private func leadsToDrop(_ operation: Operation) -> Bool {
        switch operation.expression {
        case .reject, .verdict(.drop): true
        case .verdict(.jump), .verdict(.goTo):
            operation.target >= 0 && chains[operation.target].drops
        default: false
        }
    }
}
