internal import NetTypes

/// Where packets part at a set.
extension Machine {
    /// Some packets, and the element that they find; nil is none.
    private struct Find {
        let space: Space
        let element: Int?
    }

    mutating func lookup(
        _ number: Int, _ key: Int, _ into: Int?, _ inverted: Bool, _ state: MachineState
    ) -> [Branch] {
        let index = ruleset.sets[number]
        if ruleset.changing[number] {
            if index.set.isMap || into != nil {
                return [Branch(state, .stop("map '\(index.set.name)', which packets change"))]
            }
            return eitherWay(state)
        }
        let bytes = state.registers[key..<(key + index.set.keyLength)]
        guard let finds = finds(index, bytes, state.space) else {
            return [Branch(state, .stop("a look into set '\(index.set.name)' by such a key"))]
        }
        return finds.flatMap { find -> [Branch] in
            guard let element = find.element ?? index.catchAll else {
                return [Branch(state.with(find.space), inverted ? .next : .miss)]
            }
            return found(element, number, into, inverted, state.with(find.space))
        }
    }

    private mutating func found(
        _ number: Int, _ set: Int, _ into: Int?, _ inverted: Bool, _ state: MachineState
    ) -> [Branch] {
        let element = ruleset.sets[set].set.elements[number]
        var next = state
        next.note(set: set, element: number)
        var effect = Effect.next
        switch (element.value, into) {
        case (.verdict(let verdict), _): effect = .verdict(verdict)
        case (.data(let data), .some(let into)) where into >= 0:
            next.put(data.map { SymbolicByte(constant: $0) }, at: into)
        case (.none, .some(let into)) where into >= 0:
            return [Branch(state, .stop("an element without a value"))]
        default: break
        }
        let hit = Branch(next, inverted ? .miss : effect)
        guard element.expires || element.matchesSometimes else { return [hit] }
        return eitherWay(state).map { branch in
            if case .next = branch.effect {
                return Branch(next.with(branch.state.space), hit.effect)
            }
            let isMiss = !inverted || element.matchesSometimes
            return Branch(branch.state, isMiss ? .miss : .next)
        }
    }

    /// What the packets of a space find; nil where the key is none that can be followed.
    private func finds(
        _ index: SetIndex, _ bytes: ArraySlice<SymbolicByte>, _ space: Space
    ) -> [Find]? {
        var parts: [SymbolicPart] = []
        for (offset, length) in index.parts {
            let start = bytes.startIndex + offset
            let end = min(start + ((length + 3) & ~3), bytes.endIndex)
            guard let part = bytes[start..<end].part(length: length, widths: fields.widths) else {
                return oneByOne(index, bytes, space)
            }
            parts.append(part)
        }
        if parts.count == 1 { return single(index, parts[0], space) }
        var finds: [Find] = []
        var candidates: [Int]
        if case .constant(let value) = parts[0] {
            candidates = index.candidates(first: value)
        } else {
            candidates = index.listed
        }
        guard narrow(index, parts, 0, candidates, space, &finds) else {
            return oneByOne(index, bytes, space)
        }
        return finds
    }

    private func single(_ index: SetIndex, _ part: SymbolicPart, _ space: Space) -> [Find]? {
        switch part {
        case .constant(let value): return [Find(space: space, element: index.element(with: value))]
        case .field(let field, let reversed):
            let width = fields.widths[field]
            let domain = space.domain(field, width: width)
            if let only = domain.only {
                let key = reversed ? only.reversed(bytes: width) : only
                return [Find(space: space, element: index.element(with: key))]
            }
            var rest = domain
            var finds: [Find] = []
            for (meaning, keys) in index.keys.enumerated() where !keys.isEmpty {
                guard let keys = reversed ? keys.reversed(bytes: width) : keys else { return nil }
                let (inside, outside) = rest.split(by: keys, bytes: width)
                if !inside.isEmpty {
                    finds.append(
                        Find(
                            space: space.setting(field, inside), element: index.examples[meaning]))
                }
                rest = outside
                if rest.isEmpty { break }
            }
            if !rest.isEmpty { finds.append(Find(space: space.setting(field, rest), element: nil)) }
            return finds
        }
    }

    /// Follows the parts of a concatenation one after the other; false where that can't be done.
    private func narrow(
        _ index: SetIndex, _ parts: [SymbolicPart], _ depth: Int, _ candidates: [Int],
        _ space: Space, _ finds: inout [Find]
    ) -> Bool {
        guard depth < parts.count, !candidates.isEmpty else {
            finds.append(Find(space: space, element: candidates.first))
            return true
        }
        let bounds = index.bounds[depth]
        switch parts[depth] {
        case .constant(let value):
            let left = candidates.filter { bounds[$0].contains(value) }
            return narrow(index, parts, depth + 1, left, space, &finds)
        case .field(let field, let reversed):
            let width = fields.widths[field]
            let domain = space.domain(field, width: width)
            guard let groups = groups(index, depth, candidates, reversed, width) else {
                return false
            }
            var rest = domain
            for (members, keys) in groups {
                let (inside, outside) = rest.split(by: keys, bytes: width)
                rest = outside
                guard !inside.isEmpty else { continue }
                let next = space.setting(field, inside)
                guard narrow(index, parts, depth + 1, members, next, &finds) else { return false }
            }
            if !rest.isEmpty {
                finds.append(Find(space: space.setting(field, rest), element: nil))
            }
            return true
        }
    }

    /// The keys of a part by the elements that they leave; at the last part, by what the first of
    /// these means.
    private func groups(
        _ index: SetIndex, _ depth: Int, _ candidates: [Int], _ reversed: Bool, _ width: Int
    ) -> [(members: [Int], keys: IntervalSet<UInt128>)]? {
        let isLast = depth == index.parts.count - 1
        var groups: [[Int]: [ClosedRange<UInt128>]] = [:]
        var order: [[Int]] = []
        for (range, active) in segments(index.bounds[depth], candidates) {
            var ranges = [range]
            if reversed {
                guard let turned = IntervalSet(range).reversed(bytes: width) else { return nil }
                ranges = turned.ranges
            }
            let key = isLast ? [index.examples[index.meaning[active[0]]]] : active
            if groups[key] == nil { order.append(key) }
            groups[key, default: []] += ranges
        }
        return order.map { ($0, IntervalSet(groups[$0] ?? [])) }
    }

    /// Cuts ranges where one begins or ends: disjoint pieces with the elements that cover them.
    private func segments(
        _ bounds: [ClosedRange<UInt128>], _ candidates: [Int]
    ) -> [(range: ClosedRange<UInt128>, active: [Int])] {
        let sorted = candidates.sorted { bounds[$0].lowerBound < bounds[$1].lowerBound }
        let isDisjoint = zip(sorted, sorted.dropFirst()).allSatisfy {
            bounds[$0].upperBound < bounds[$1].lowerBound
        }
        if isDisjoint { return sorted.map { (bounds[$0], [$0]) } }
        var cuts: Set<UInt128> = []
        for index in candidates {
            cuts.insert(bounds[index].lowerBound)
            if bounds[index].upperBound < .max { cuts.insert(bounds[index].upperBound + 1) }
        }
        let starts = cuts.sorted()
        return starts.enumerated().compactMap { number, start in
            let end = number + 1 < starts.count ? starts[number + 1] - 1 : UInt128.max
            let active = candidates.filter { bounds[$0].contains(start) }
            return active.isEmpty ? nil : (start...end, active)
        }
    }

    /// Asks every element in turn, for keys that are made of pieces.
    private func oneByOne(
        _ index: SetIndex, _ bytes: ArraySlice<SymbolicByte>, _ space: Space
    ) -> [Find]? {
        guard index.set.elements.count <= 512 else { return nil }
        var rest = [space]
        var finds: [Find] = []
        for number in index.listed {
            let element = index.set.elements[number]
            var next: [Space] = []
            for space in rest {
                var inside = [space]
                for (offset, length) in index.parts {
                    let start = bytes.startIndex + offset
                    let key = bytes[start..<(start + length)]
                    let low = element.low[offset..<(offset + length)]
                    let high = element.high[offset..<(offset + length)]
                    var kept: [Space] = []
                    for space in inside {
                        let (below, equal, above) = split(space, key, order: low)
                        next += below
                        for space in equal + above {
                            let (lower, same, higher) = split(space, key, order: high)
                            kept += lower + same
                            next += higher
                        }
                    }
                    inside = kept
                }
                finds += inside.map { Find(space: $0, element: number) }
            }
            rest = next
        }
        return finds + rest.map { Find(space: $0, element: nil) }
    }
}

extension IntervalSet<UInt128> {
    /// The numbers with their bytes in the other order; nil for ranges, which don't stay such.
    func reversed(bytes: Int) -> IntervalSet<UInt128>? {
        if ranges.count == 1, ranges[0] == 0...Domain.greatest(bytes: bytes) { return self }
        guard ranges.allSatisfy({ $0.count < 256 }) else { return nil }
        return IntervalSet(
            ranges.flatMap { range in
                range.map { $0.reversed(bytes: bytes)...$0.reversed(bytes: bytes) }
            })
    }
}
