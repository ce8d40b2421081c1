public import NetTypes
internal import Rules

extension Compilation {
    /// Takes addresses out of what every endpoint admits, without compiling anything.
    ///
    /// It is for addresses whose endpoint is gone: whoever has one next must not inherit its rules while the next
    /// compilation goes on. A network that contains such an address loses it as well, until then.
    ///
    /// - Parameter addresses: The addresses.
    /// - Returns: The endpoints whose state is another now.
    public mutating func cut(_ addresses: Set<IPAddress>) -> Set<NamespaceID> {
        guard !addresses.isEmpty else { return [] }
        let v4 = addresses.compactMap { if case .v4(let number) = $0 { number } else { nil } }
        let v6 = addresses.compactMap { if case .v6(let number) = $0 { number } else { nil } }
        var changed: Set<NamespaceID> = []
        for (id, state) in states {
            let peers4 = state.peers4.without(v4)
            let peers6 = state.peers6.without(v6)
            guard peers4 != nil || peers6 != nil else { continue }
            setPeers(of: id, peers4 ?? state.peers4, peers6 ?? state.peers6)
            changed.insert(id)
        }
        return changed
    }
}

extension Array {
    /// The ranges without some numbers; nil where none of them is in any.
    fileprivate func without<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ numbers: [Number]
    ) -> [PeerRange<Number>]? where Element == PeerRange<Number> {
        var result: [PeerRange<Number>]?
        for number in numbers {
            let ranges = result ?? self
            guard let index = ranges.index(containing: number) else { continue }
            let range = ranges[index]
            var parts: [PeerRange<Number>] = []
            if range.addresses.lowerBound < number {
                parts.append(range.limited(to: range.addresses.lowerBound...number - 1))
            }
            if number < range.addresses.upperBound {
                parts.append(range.limited(to: number + 1...range.addresses.upperBound))
            }
            var next = ranges
            next.replaceSubrange(index...index, with: parts)
            result = next
        }
        return result
    }

    /// The place of the range that contains a number: the ranges are disjoint and ascending.
    private func index<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        containing number: Number
    ) -> Int? where Element == PeerRange<Number> {
        var range = indices
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            let addresses = self[middle].addresses
            if addresses.contains(number) { return middle }
            range =
                addresses.upperBound < number
                ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }
}

extension PeerRange {
    fileprivate func limited(to addresses: ClosedRange<Number>) -> PeerRange {
        PeerRange(addresses: addresses, peerClass: peerClass, comment: comment)
    }
}
