import NetTypes
import Policy
import TestSupport

/// Forms at random, near the bounds of what the judges treat apart.
struct RandomForms {
    private var generator: SeededGenerator
    private let addresses: [AddressFamily: [IPAddress]]
    /// Addresses that the namespace has and the endpoint doesn't: packets to them stay inside.
    private let lost: Set<IPAddress>

    init(seed: UInt64, at endpoint: Endpoint, in world: SmallWorld) {
        generator = SeededGenerator(seed: seed)
        let held = world.namespaces.first { $0.id == endpoint.id }?.addresses ?? []
        let lost = Set(held).subtracting(endpoint.addresses)
        addresses = Dictionary(
            grouping: world.addresses.filter { !lost.contains($0) }, by: \.family)
        self.lost = lost
    }

    /// How a probe is sent: mostly as it is.
    mutating func form(for probe: Probe) -> Form {
        switch generator.number(0...9) {
        case 0...1: .fragments(fragmentation(of: probe.flow))
        case 2...3: .extensions(chain(of: generator.pick([1, 1, 2, 2, 3, 4, 7, 8, 8, 9, 10])))
        case 4...5: lost.contains(probe.flow.source) ? .plain : .error(error(about: probe.flow))
        default: .plain
        }
    }

    private mutating func chain(of count: Int, atomic: Bool = true) -> ExtensionChain {
        let later: [UInt8] = atomic ? [60, 60, 43, 51, 44] : [60, 60, 43, 51]
        return ExtensionChain(
            headers: (0..<count).map { index in
                let mayBeForEveryHop = index == 0 ? generator.once(in: 3) : generator.once(in: 30)
                let number = mayBeForEveryHop ? 0 : generator.pick(later)
                let length = number == 44 || !generator.once(in: 4) ? 8 : 16
                let left: UInt8 = number == 43 && generator.once(in: 8) ? 1 : 0
                return .init(number: number, length: length, segmentsLeft: left)
            })
    }

    // MARK: Fragments

    private mutating func fragmentation(of flow: Flow) -> Fragmentation {
        let isV6 = flow.source.family == .v6
        let before = isV6 && generator.once(in: 4) ? generator.pick([1, 1, 2, 7, 8]) : 0
        let after = isV6 && generator.once(in: 4) ? generator.pick([1, 1, 2, 8]) : 0
        let padding = generator.pick([16, 24, 40])
        let form = Fragmentation(
            before: chain(of: before, atomic: false), after: chain(of: after), padding: padding,
            pieces: [])
        let length = form.after.length + flow.opening(padding: padding).count
        return Fragmentation(
            before: form.before, after: form.after, padding: padding,
            pieces: pieces(length, form.after.length))
    }

    private mutating func pieces(_ length: Int, _ after: Int) -> [Fragmentation.Piece] {
        let blocks = (length + 7) / 8
        let usual = min(after / 8 + 3, blocks - 1)
        let first = generator.once(in: 6) ? generator.number(1...usual) : usual
        let cuts = generator.some(of: Array(first + 1..<max(first + 2, blocks)), 0...2)
            .filter { $0 < blocks }
        let bounds = [0, first] + cuts + [blocks]
        var pieces = zip(bounds, bounds.dropFirst()).map { start, end in
            Fragmentation.Piece(range: start * 8..<min(end * 8, length), isLast: end == blocks)
        }
        switch generator.number(0...9) {
        case 0...2: break
        case 3: pieces.shuffle(using: &generator)
        case 4: pieces.removeFirst()
        case 5: pieces.removeLast()
        case 6: pieces.remove(at: generator.number(0...pieces.count - 1))
        case 7: pieces.insert(generator.pick(pieces), at: generator.number(0...pieces.count))
        case 8: insertOverlap(into: &pieces)
        default: insertForged(into: &pieces)
        }
        return pieces
    }

    /// A piece that shares bytes with some of the others, and has other ones there.
    private mutating func insertOverlap(into pieces: inout [Fragmentation.Piece]) {
        guard let last = pieces.last, last.range.lowerBound >= 16 else { return }
        let start = generator.number(0...last.range.lowerBound / 8 - 1) * 8
        let end = generator.number(start / 8 + 1...last.range.lowerBound / 8) * 8
        pieces.insert(
            Fragmentation.Piece(range: start..<end, isLast: false, isForged: true),
            at: generator.number(0...pieces.count))
    }

    /// A second first piece, which opens another flow.
    private mutating func insertForged(into pieces: inout [Fragmentation.Piece]) {
        guard let first = pieces.first else { return }
        pieces.insert(
            Fragmentation.Piece(range: first.range, isLast: first.isLast, isForged: true),
            at: generator.number(0...pieces.count))
    }

    // MARK: Errors

    private mutating func error(about flow: Flow) -> QuotingError {
        let isV6 = flow.source.family == .v6
        let (type, code): (UInt8, UInt8) = generator.pick(
            isV6
                ? [(1, 0), (1, 1), (1, 4), (2, 0), (3, 0), (4, 1)]
                : [(3, 0), (3, 1), (3, 3), (3, 4), (4, 0), (5, 1), (11, 0), (12, 0)])
        let count = isV6 && generator.once(in: 5) ? generator.pick([1, 1, 2, 8, 9]) : 0
        return QuotingError(
            type: type, code: code, isOpened: !generator.once(in: 8),
            quotesAnswer: generator.once(in: 3), sender: sender(flow.source.family),
            lie: lie(flow.source.family), chain: chain(of: count))
    }

    private mutating func sender(_ family: AddressFamily) -> QuotingError.Sender {
        switch generator.number(0...7) {
        case 0...4: .side
        case 5...6: address(family).map { .address($0) } ?? .side
        default: .receiver
        }
    }

    private mutating func lie(_ family: AddressFamily) -> QuotingError.Lie {
        switch generator.number(0...11) {
        case 0: .port
        case 1: .ipProtocol
        case 2: address(family).map { .receiver($0) } ?? .nothing
        case 3: .fragment
        case 4: .cut(generator.number(0...8))
        default: .nothing
        }
    }

    private mutating func address(_ family: AddressFamily) -> IPAddress? {
        addresses[family].map { generator.pick($0) }
    }
}
