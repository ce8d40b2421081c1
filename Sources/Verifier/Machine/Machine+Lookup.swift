internal import NetTypes

/// Where packets part at a set.
extension Machine {
    /// Some packets, and the element that they find; nil is none.
    private struct Find {
        let space: Space
        let element: Int?
        /// What they are given where that is not the same for all; the element is one of theirs.
        var image: ImageReference?
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
        if fields.hasImages, index.parts.count > 1, let parts = parts(index, bytes),
            case .field(let first, let isReversed) = parts[0], fields.images[first] != nil
        {
            let others = Array(parts.dropFirst())
            let parted = lookup(number, (first, isReversed), others, state)
            guard let rest = parted.rest else { return parted.branches }
            // These find nothing, whatever their value is.
            return parted.branches
                + take(Find(space: rest, element: nil), index, number, into, inverted, state)
        }
        guard let finds = finds(number, index, bytes, state.space) else {
            return [Branch(state, .stop("a look into set '\(index.set.name)' by such a key"))]
        }
        return finds.flatMap { take($0, index, number, into, inverted, state) }
    }

    private mutating func take(
        _ find: Find, _ index: SetIndex, _ set: Int, _ into: Int?, _ inverted: Bool,
        _ state: MachineState
    ) -> [Branch] {
        guard let element = find.element ?? index.catchAll else {
            return [Branch(state.with(find.space), inverted ? .next : .miss)]
        }
        return found(element, find.image, set, into, inverted, state.with(find.space))
    }

    /// The parts of a key; nil where one is made of pieces.
    private func parts(
        _ index: SetIndex, _ bytes: ArraySlice<SymbolicByte>
    ) -> [SymbolicPart]? {
        var parts: [SymbolicPart] = []
        for (offset, length) in index.parts {
            let start = bytes.startIndex + offset
            let end = min(start + ((length + 3) & ~3), bytes.endIndex)
            guard let part = bytes[start..<end].part(length: length, widths: fields.widths) else {
                return nil
            }
            parts.append(part)
        }
        return parts
    }

    private mutating func found(
        _ number: Int, _ image: ImageReference?, _ set: Int, _ into: Int?, _ inverted: Bool,
        _ state: MachineState
    ) -> [Branch] {
        let element = ruleset.sets[set].set.elements[number]
        var next = state
        next.note(set: set, element: number)
        var effect = Effect.next
        switch (element.value, into) {
        case (.verdict(let verdict), _): effect = .verdict(verdict)
        case (.data(let data), .some(let into)) where into >= 0:
            if let image {
                let field = fields.number(of: .image(image), width: data.count)
                next.put(data.indices.map { SymbolicByte(field: field, index: $0) }, at: into)
            } else {
                next.put(data.map { SymbolicByte(constant: $0) }, at: into)
            }
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
    private mutating func finds(
        _ set: Int, _ index: SetIndex, _ bytes: ArraySlice<SymbolicByte>, _ space: Space
    ) -> [Find]? {
        guard let parts = parts(index, bytes) else { return oneByOne(index, bytes, space) }
        if parts.count == 1 { return single(set, index, parts[0], space) }
        var finds: [Find] = []
        var candidates: [Int]
        if case .constant(let value) = parts[0] {
            candidates = index.candidates(first: value)
        } else {
            candidates = index.listed
        }
        guard narrow(set, index, parts, 0, candidates, space, &finds) else {
            return oneByOne(index, bytes, space)
        }
        return finds
    }

    private mutating func single(
        _ set: Int, _ index: SetIndex, _ part: SymbolicPart, _ space: Space
    ) -> [Find]? {
        switch part {
        case .constant(let value): return [Find(space: space, element: index.element(with: value))]
        case .field(let field, let reversed):
            if let image = fields.images[field] {
                return answers(set, index, image, fields.widths[field], reversed, space)
            }
            let width = fields.widths[field]
            if let only = space.domain(field, width: width).only {
                let key = reversed ? only.reversed(bytes: width) : only
                return [Find(space: space, element: index.element(with: key))]
            }
            guard let groups = memo.groups(set, index, isReversed: reversed, width: width) else {
                return nil
            }
            var finds: [Find] = []
            let rest = cut(space, field, groups) { finds.append(find($0, $1, field)) }
            if let rest { finds.append(Find(space: rest, element: nil)) }
            return finds
        }
    }

    /// Cuts a space by groups of keys of a field; gives what is in none.
    private func cut(
        _ space: Space, _ field: Int, _ groups: [KeyGroup], visit: (KeyGroup, Space) -> Void
    ) -> Space? {
        let width = fields.widths[field]
        var rest = space.domain(field, width: width)
        for group in groups {
            let (inside, outside) = rest.split(by: group.keys, bytes: width)
            if !inside.isEmpty { visit(group, space.setting(field, inside)) }
            rest = outside
            if rest.isEmpty { return nil }
        }
        return space.setting(field, rest)
    }

    /// What the packets find whose keys are of a group.
    private func find(_ group: KeyGroup, _ space: Space, _ field: Int) -> Find {
        guard let image = group.image else {
            return Find(space: space, element: group.members.first)
        }
        if let only = space.domain(field, width: fields.widths[field]).only,
            let element = memo.images[image].element(of: only)
        {
            return Find(space: space, element: element)
        }
        return Find(
            space: space, element: group.members.first,
            image: ImageReference(field: field, image: image))
    }

    /// What the values of an image find.
    private mutating func answers(
        _ set: Int, _ index: SetIndex, _ image: ImageReference, _ length: Int, _ reversed: Bool,
        _ space: Space
    ) -> [Find] {
        let width = fields.widths[image.field]
        let domain = space.domain(image.field, width: width)
        let all = memo.answers(image.image, set, index, isReversed: reversed, width: length)
        return all.compactMap { answer in
            let inside = domain.intersection(answer.keys, bytes: width)
            return inside.isEmpty
                ? nil : Find(space: space.setting(image.field, inside), element: answer.element)
        }
    }

    /// Follows the parts of a concatenation one after the other; false where that can't be done.
    private mutating func narrow(
        _ set: Int, _ index: SetIndex, _ parts: [SymbolicPart], _ depth: Int, _ candidates: [Int],
        _ space: Space, _ finds: inout [Find]
    ) -> Bool {
        guard depth < parts.count, !candidates.isEmpty else {
            finds.append(Find(space: space, element: candidates.first))
            return true
        }
        switch parts[depth] {
        case .constant(let value):
            let bounds = index.bounds[depth]
            let left = candidates.filter { bounds[$0].contains(value) }
            return narrow(set, index, parts, depth + 1, left, space, &finds)
        case .field(let field, let reversed):
            let groups = memo.groups(
                set, index, depth: depth, candidates, isReversed: reversed,
                width: fields.widths[field])
            guard let groups else { return false }
            var inside: [(KeyGroup, Space)] = []
            let rest = cut(space, field, groups) { inside.append(($0, $1)) }
            for (group, space) in inside {
                if depth == parts.count - 1 {
                    finds.append(find(group, space, field))
                    continue
                }
                guard narrow(set, index, parts, depth + 1, group.members, space, &finds) else {
                    return false
                }
            }
            if let rest { finds.append(Find(space: rest, element: nil)) }
            return true
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
