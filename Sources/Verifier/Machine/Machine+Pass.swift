internal import NetTypes

/// Most expressions part nothing: they are done on the state as it stands, without a copy.
extension Machine {
    /// Goes past an expression if it ends no packet's way, and leaves packets that part to `pending`;
    /// false where it has to be performed at length.
    mutating func pass(
        _ operation: FlatRuleset.Operation, _ state: inout MachineState,
        _ pending: inout [MachineState]
    ) -> Bool {
        switch operation.expression {
        case .harmless: state.expression += 1
        case .payload(let base, let offset, let length, let into):
            return take(readPayload(base, offset, length, state), into, &state)
        case .meta(let key, let into): return take(readMeta(key, state), into, &state)
        case .ct(let key, let direction, let into):
            return take(readCt(key, direction, state), into, &state)
        case .mask, .byteorder, .load:
            guard calculate(operation.expression, in: &state) else { return false }
            state.expression += 1
        case .compare(let comparison, let from, let bytes):
            if fields.hasImages, image(readBy: operation, state) != nil { return false }
            let slice = state.registers[from..<(from + bytes.count)]
            let parts = parts(comparison, slice, bytes, state.space)
            if parts.matching.isEmpty, parts.others.isEmpty { return false }
            go(parts.matching, parts.others, &state, &pending)
        default: return false
        }
        return true
    }

    private func take(_ reading: Reading, _ into: Int, _ state: inout MachineState) -> Bool {
        switch reading {
        case .bytes(let bytes):
            state.put(bytes, at: into)
            state.expression += 1
        case .none: state.miss()
        case .parts, .unknown: return false
        }
        return true
    }

    /// Goes on with some of the packets; the others wait.
    private func go(
        _ matching: [Space], _ others: [Space], _ state: inout MachineState,
        _ pending: inout [MachineState]
    ) {
        let waiting = matching.isEmpty ? others.dropLast() : others[...]
        for space in waiting {
            var other = state.with(space)
            other.miss()
            pending.append(other)
        }
        if let last = matching.last {
            for space in matching.dropLast() {
                var other = state.with(space)
                other.expression += 1
                pending.append(other)
            }
            state.space = last
            state.expression += 1
        } else if let last = others.last {
            state.space = last
            state.miss()
        }
    }
}

extension MachineState {
    /// The rule doesn't match.
    fileprivate mutating func miss() {
        rule += 1
        expression = 0
    }
}
