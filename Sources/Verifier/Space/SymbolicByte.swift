/// A byte of a register: a constant, or a byte of a field with a mask and a flip over it.
struct SymbolicByte: Hashable {
    /// The field's number, or -1.
    let field: Int16
    /// Which byte of the field's number, the most significant one first.
    let index: UInt8
    let mask: UInt8
    /// What the masked byte is exclusively or-ed with; a constant's value.
    let flip: UInt8

    private init(field: Int16, index: UInt8, mask: UInt8, flip: UInt8) {
        self.field = field
        self.index = index
        self.mask = mask
        self.flip = flip
    }

    init(constant: UInt8) { self.init(field: -1, index: 0, mask: 0, flip: constant) }

    init(field: Int, index: Int) {
        self.init(field: Int16(field), index: UInt8(index), mask: 0xff, flip: 0)
    }

    static let zero = SymbolicByte(constant: 0)

    var constant: UInt8? { field < 0 ? flip : nil }

    func masked(_ mask: UInt8, flip other: UInt8) -> SymbolicByte {
        let left = self.mask & mask
        let flipped = (flip & mask) ^ other
        if field < 0 || left == 0 { return SymbolicByte(constant: flipped) }
        return SymbolicByte(field: field, index: index, mask: left, flip: flipped)
    }

    /// Whether it is the field's byte as it is.
    var isPlain: Bool { field >= 0 && mask == 0xff && flip == 0 }
}

/// A run of bytes that is one thing.
enum SymbolicPart: Hashable {
    case constant(UInt128)
    /// A whole field; reversed where its least significant byte comes first.
    case field(Int, reversed: Bool)
}

extension ArraySlice<SymbolicByte> {
    /// The run as one part, if it is one; bytes behind `length` have to be 0.
    func part(length: Int, widths: [Int]) -> SymbolicPart? {
        let body = prefix(length)
        guard dropFirst(length).allSatisfy({ $0.constant == 0 }), let first = body.first,
            length <= 16
        else { return nil }
        if first.field < 0 {
            var number: UInt128 = 0
            for byte in body {
                guard let value = byte.constant else { return nil }
                number = number << 8 | UInt128(value)
            }
            return .constant(number)
        }
        guard widths[Int(first.field)] == length else { return nil }
        var (isForward, isReversed) = (true, true)
        for (offset, byte) in body.enumerated() {
            guard byte.field == first.field, byte.isPlain else { return nil }
            if Int(byte.index) != offset { isForward = false }
            if Int(byte.index) != length - 1 - offset { isReversed = false }
        }
        if isForward { return .field(Int(first.field), reversed: false) }
        return isReversed ? .field(Int(first.field), reversed: true) : nil
    }
}

extension UInt128 {
    /// The number that the same bytes are in the other order.
    func reversed(bytes: Int) -> UInt128 {
        bytes >= 16 ? byteSwapped : byteSwapped >> UInt128(8 * (16 - bytes))
    }
}
