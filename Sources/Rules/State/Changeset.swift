public import NetTypes

/// The elements that turn one state of an endpoint into another, in one transaction.
public struct Changeset: Hashable, Sendable {
    /// Elements that go and elements that come.
    public struct Delta<Element: Hashable & Sendable>: Hashable, Sendable {
        public var removed: [Element]
        public var added: [Element]

        public init(removed: [Element] = [], added: [Element] = []) {
            self.removed = removed
            self.added = added
        }

        public var isEmpty: Bool { removed.isEmpty && added.isEmpty }
        public var count: Int { removed.count + added.count }
    }

    /// A mark and its rule.
    public typealias Entry = RuleTable.Entry

    /// Whether the table is to be built first, with its constant rules, replacing any other.
    public var createsTable: Bool
    public var own: Delta<IPAddress>
    public var peers4: Delta<PeerRange<UInt32>>
    public var peers6: Delta<PeerRange<UInt128>>
    public var ingress: Delta<Admission>
    public var egress: Delta<Admission>
    public var rules: Delta<Entry>

    /// Nothing to do: the kernel already holds what is wanted.
    public var isEmpty: Bool { !createsTable && count == 0 }

    /// How many elements are sent.
    public var count: Int {
        own.count + peers4.count + peers6.count + ingress.count + egress.count + rules.count
    }
}

extension EndpointState {
    /// What makes this state out of another; nil is a namespace without an intact table.
    public func changes(from held: EndpointState?) -> Changeset {
        let before = held ?? .closed
        return Changeset(
            createsTable: held == nil,
            own: .between(before.own, own, by: <),
            peers4: .between(before.peers4, peers4) {
                $0.addresses.lowerBound < $1.addresses.lowerBound
            },
            peers6: .between(before.peers6, peers6) {
                $0.addresses.lowerBound < $1.addresses.lowerBound
            },
            ingress: .between(before.ingress, ingress, by: <),
            egress: .between(before.egress, egress, by: <),
            rules: .between(before.rules.entries, rules.entries) { $0.mark < $1.mark })
    }
}

extension Changeset.Delta {
    /// Order is kept, so equal inputs give equal deltas.
    ///
    /// - Parameters:
    ///   - before: What there was.
    ///   - after: What there is to be.
    ///   - precedes: The order that both lists are in; the difference of two long lists then takes one
    ///     comparison for each element. In any other order they take hashing.
    /// - Returns: What is in one of them only.
    static func between(
        _ before: [Element], _ after: [Element], by precedes: (Element, Element) -> Bool
    ) -> Self {
        guard before.isInOrder(precedes), after.isInOrder(precedes) else {
            return between(before, after)
        }
        var delta = Self()
        var (left, right) = (0, 0)
        while left < before.count, right < after.count {
            if before[left] == after[right] {
                left += 1
                right += 1
            } else if precedes(before[left], after[right]) {
                delta.removed.append(before[left])
                left += 1
            } else if precedes(after[right], before[left]) {
                delta.added.append(after[right])
                right += 1
            } else {
                delta.removed.append(before[left])
                delta.added.append(after[right])
                left += 1
                right += 1
            }
        }
        delta.removed += before[left...]
        delta.added += after[right...]
        return delta
    }

    private static func between(_ before: [Element], _ after: [Element]) -> Self {
        // Most of it stands where it stood: only what lies between is looked at by its hash.
        var (start, left, right) = (0, before.count, after.count)
        while start < left, start < right, before[start] == after[start] { start += 1 }
        while left > start, right > start, before[left - 1] == after[right - 1] {
            left -= 1
            right -= 1
        }
        let (going, coming) = (before[start..<left], after[start..<right])
        let (old, new) = (Set(going), Set(coming))
        return Self(
            removed: going.filter { !new.contains($0) }, added: coming.filter { !old.contains($0) })
    }
}

extension Array {
    /// Whether each element precedes the next one.
    fileprivate func isInOrder(_ precedes: (Element, Element) -> Bool) -> Bool {
        indices.dropFirst().allSatisfy { precedes(self[$0 - 1], self[$0]) }
    }
}
