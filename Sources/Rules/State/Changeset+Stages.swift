extension Changeset {
    /// The change as transactions that lose no packet that both states admit: first what comes,
    /// then what takes another's place, last what goes.
    ///
    /// In one transaction it would: the kernel puts a map of ranges in place a moment after it has
    /// switched everything else (`nft_pipapo_commit`), and a packet in that moment would find the
    /// admission of a rule that is gone, or none for a class that is new. Between the stages a packet is
    /// admitted only if the old state or the new one admits it.
    public var stages: [Changeset] {
        let coming = Set(rules.added.map(\.mark))
        let going = Set(rules.removed.map(\.mark))
        let (ingress, egress) = (ingress.staged, egress.staged)
        var stages = [Changeset(), Changeset(), Changeset(), Changeset()]
        for index in ingress.indices {
            stages[index].ingress = ingress[index]
            stages[index].egress = egress[index]
        }
        stages[0].rules.added = rules.added.filter { !going.contains($0.mark) }
        stages[1].rules.added = rules.added.filter { going.contains($0.mark) }
        stages[1].rules.removed = rules.removed.filter { coming.contains($0.mark) }
        stages[1].own = own
        stages[1].peers4 = peers4
        stages[1].peers6 = peers6
        // A port that becomes a part of a range has two admissions for a while. A packet that found the
        // first just before it went has to find its rule as well.
        let changesMaps = self.ingress.changesMaps || self.egress.changesMaps
        stages[changesMaps ? 3 : 2].rules.removed = rules.removed.filter {
            !coming.contains($0.mark)
        }
        return stages.filter { !$0.isEmpty }
    }

    private init() {
        self.init(
            createsTable: false, own: Delta(), peers4: Delta(), peers6: Delta(), ingress: Delta(),
            egress: Delta(), rules: Delta())
    }
}

extension Changeset.Delta<Admission> {
    /// What concerns the map of single ports.
    public var single: Self {
        Self(removed: removed.filter(\.isSingle), added: added.filter(\.isSingle))
    }

    /// What concerns one of the maps.
    public func only(_ kind: Admission.Kind) -> Self {
        Self(removed: removed.filter { $0.kind == kind }, added: added.filter { $0.kind == kind })
    }

    /// What concerns the map of ranges.
    public var ranges: Self {
        Self(removed: removed.filter { !$0.isSingle }, added: added.filter { !$0.isSingle })
    }

    /// Whether something may move from the map of single ports to that of ranges.
    fileprivate var changesMaps: Bool { !single.removed.isEmpty && !ranges.added.isEmpty }

    /// What comes, what takes another's place, and what goes.
    ///
    /// Ranges of a class of which others go take their place in the same moment, since they may overlap.
    /// Of a single port only another rule takes the place. A class is the same addresses before and after: one that is new has all its admissions before an
    /// address is in it, and one that is gone keeps them until no address is.
    fileprivate var staged: [Self] {
        let ranges = ranges.staged { UInt64($0.peerClass.rawValue) }
        let single = single.staged { $0.singleKey }
        return zip(ranges, single).map {
            Self(removed: $0.removed + $1.removed, added: $0.added + $1.added)
        }
    }

    private func staged(by place: (Admission) -> UInt64) -> [Self] {
        let comes = Set(added.map(place))
        let goes = Set(removed.map(place))
        return [
            Self(added: added.filter { !goes.contains(place($0)) }),
            Self(
                removed: removed.filter { comes.contains(place($0)) },
                added: added.filter { goes.contains(place($0)) }),
            Self(removed: removed.filter { !comes.contains(place($0)) }),
        ]
    }
}

extension Admission {
    /// The key of an admission of one port.
    fileprivate var singleKey: UInt64 {
        UInt64(peerClass.rawValue) << 24 | UInt64(protocols.lowerBound) << 16
            | UInt64(ports.lowerBound)
    }
}
