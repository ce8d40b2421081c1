internal import NetTypes

/// What a map gives for the values of a field: which value for which of them.
///
/// A map of rules gives another mark for each port. As long as nobody looks at the mark, the
/// packets don't have to part: they stay together as one kind, whose mark is an image of the port.
struct Image {
    private let pieces: [Piece]
    private let keys: RangeTable

    struct Piece {
        /// The bytes that the map gives, the first one most significant.
        let value: UInt128
        let keys: IntervalSet<UInt128>
        let element: Int
    }

    init(_ pieces: [Piece]) {
        self.pieces = pieces
        keys = RangeTable(
            disjoint: pieces.enumerated().flatMap { place, piece in
                piece.keys.ranges.map { .init(range: $0, place: place) }
            })
    }

    /// All keys with the values that they have.
    var all: [Piece] { pieces }

    /// The element that gives the value of a key.
    func element(of key: UInt128) -> Int? { keys.place(of: key).map { pieces[$0].element } }

    /// Some keys by the values that they have.
    func parts(
        of domain: Domain, bytes: Int
    ) -> [(value: UInt128, keys: Domain)] {
        guard let numbers = domain.ranges(bytes: bytes) else {
            return pieces.compactMap { piece in
                let inside = domain.intersection(piece.keys, bytes: bytes)
                return inside.isEmpty ? nil : (piece.value, inside)
            }
        }
        return keys.parts(of: numbers).found.map { (pieces[$0.place].value, Domain($0.numbers)) }
    }
}

/// An image of a field.
struct ImageReference: Hashable {
    let field: Int
    /// The image's place in the memo.
    let image: Int
}

/// Packets whose registers hold an image.
extension Machine {
    /// More images than so many are not kept: fields are numbered with 16 bits.
    static let imageLimit = 16_000

    /// The image in the registers that an expression decides by, where it has to be a number.
    func image(readBy operation: FlatRuleset.Operation, _ state: MachineState) -> Int? {
        switch operation.expression {
        case .compare(_, let from, let bytes): image(in: state, from, bytes.count)
        case .range(let from, let low, _, _): image(in: state, from, low.count)
        case .setPayload(_, _, let length, let from): image(in: state, from, length)
        case .translate(let translation):
            image(in: state, translation.address, scenario.addressWidth)
                ?? image(in: state, translation.port, 2)
        case .lookup(_, let key, _, _) where operation.target >= 0:
            lookupImage(operation.target, key, state)
        default: nil
        }
    }

    private func image(in state: MachineState, _ registers: (Int, Int)?, _ length: Int) -> Int? {
        registers.flatMap { image(in: state, $0.0, length) ?? image(in: state, $0.1, length) }
    }

    private func image(in state: MachineState, _ from: Int, _ length: Int) -> Int? {
        for index in from..<min(from + length, state.registers.count) {
            let field = Int(state.registers[index].field)
            if field >= 0, fields.images[field] != nil { return field }
        }
        return nil
    }

    /// A set of one part is looked up by an image as a whole.
    private func lookupImage(_ set: Int, _ key: Int, _ state: MachineState) -> Int? {
        let index = ruleset.sets[set]
        guard let image = image(in: state, key, index.set.keyLength) else { return nil }
        let (_, length) = index.parts[0]
        let end = min(key + ((length + 3) & ~3), key + index.set.keyLength)
        let first = state.registers[key..<end]
        if case .field(image, _) = first.part(length: length, widths: fields.widths) {
            return self.image(in: state, end, index.set.keyLength - (end - key))
        }
        return image
    }

    /// Looks into a concatenation with an image as the key's first part: the packets part by its
    /// values only as far as there may be an element for them.
    mutating func lookup(
        _ set: Int, _ image: (number: Int, isReversed: Bool), _ others: [SymbolicPart],
        _ state: MachineState
    ) -> (branches: [Branch], rest: Space?) {
        let index = ruleset.sets[set]
        guard let reference = fields.images[image.number] else { return ([], state.space) }
        let length = fields.widths[image.number]
        let width = fields.widths[reference.field]
        let domain = state.space.domain(reference.field, width: width)
        var branches: [Branch] = []
        var rest = domain
        for (value, keys) in memo.images[reference.image].parts(of: domain, bytes: width) {
            let key = image.isReversed ? value.reversed(bytes: length) : value
            let mayFind = index.candidates(first: key).contains { element in
                others.enumerated().allSatisfy { depth, part in
                    mayHold(part, index.bounds[depth + 1][element], state.space)
                }
            }
            guard mayFind, let numbers = keys.ranges(bytes: width) else { continue }
            var next = state.with(state.space.setting(reference.field, keys))
            next.replace(image.number, by: value, bytes: length)
            branches.append(Branch(next, .again))
            rest = rest.split(by: numbers, bytes: width).outside
        }
        return (branches, rest.isEmpty ? nil : state.space.setting(reference.field, rest))
    }

    /// Whether a part of a key may lie in a range.
    private func mayHold(
        _ part: SymbolicPart, _ range: ClosedRange<UInt128>, _ space: Space
    ) -> Bool {
        switch part {
        case .constant(let value): range.contains(value)
        case .field(let field, false):
            space.domain(field, width: fields.widths[field]).meets(range)
        case .field: true
        }
    }

    /// The packets by the value that they have of an image, which is a constant from here on.
    func parted(by number: Int, _ state: MachineState) -> [Branch] {
        guard let reference = fields.images[number] else { return [Branch(state, .again)] }
        let width = fields.widths[reference.field]
        let domain = state.space.domain(reference.field, width: width)
        let parts = memo.images[reference.image].parts(of: domain, bytes: width)
        return parts.map { value, keys in
            var next = state.with(state.space.setting(reference.field, keys))
            next.replace(number, by: value, bytes: fields.widths[number])
            return Branch(next, .again)
        }
    }

    /// What bytes are for the packets of a space, which is cut where that is an image; nil is no
    /// number.
    func values(of bytes: [SymbolicByte], in space: Space) -> [(space: Space, value: UInt128?)] {
        let known = bytes.compactMap(\.constant)
        if known.count == bytes.count { return [(space, UInt128(networkBytes: known))] }
        let number = bytes.lazy.map { Int($0.field) }.first { $0 >= 0 && fields.images[$0] != nil }
        guard let number, let reference = fields.images[number] else { return [(space, nil)] }
        let width = fields.widths[reference.field]
        let domain = space.domain(reference.field, width: width)
        return memo.images[reference.image].parts(of: domain, bytes: width).flatMap { part in
            let bytes = bytes.map {
                $0.replacing(number, by: part.value, of: fields.widths[number])
            }
            return values(of: bytes, in: space.setting(reference.field, part.keys))
        }
    }
}

extension SymbolicByte {
    /// A constant in the place of a byte of a field of a length; other bytes as they are.
    fileprivate func replacing(_ number: Int, by value: UInt128, of length: Int) -> SymbolicByte {
        guard Int(field) == number else { return self }
        let own = UInt8(truncatingIfNeeded: value >> UInt128(8 * (length - 1 - Int(index))))
        return SymbolicByte(constant: (own & mask) ^ flip)
    }
}

extension MachineState {
    /// Puts a number in the place of a field's bytes.
    fileprivate mutating func replace(_ field: Int, by value: UInt128, bytes length: Int) {
        for index in registers.indices where Int(registers[index].field) == field {
            registers[index] = registers[index].replacing(field, by: value, of: length)
        }
        for (place, bytes) in written {
            written[place] = bytes.map { $0.replacing(field, by: value, of: length) }
        }
    }
}
