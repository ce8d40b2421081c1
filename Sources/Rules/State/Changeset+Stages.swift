extension Changeset {
    /// The change as transactions that lose no packet that both states admit: first what comes,
    /// then what takes another's place, last what goes.
    ///
    /// In one transaction it would: the kernel puts a set of concatenated ranges in place a moment
    /// after it has switched everything else (`nft_pipapo_commit`), and a packet in that moment
    /// would find the admission of a rule that is gone, or none for a class that is new. Between
    /// the stages a packet is admitted only if the old state or the new one admits it.
    public var stages: [Changeset] {
        let coming = Set(rules.added.map(\.mark))
        let going = Set(rules.removed.map(\.mark))
        let (ingress, egress) = (ingress.staged, egress.staged)
        var stages = [Changeset(), Changeset(), Changeset()]
        stages[0].rules.added = rules.added.filter { !going.contains($0.mark) }
        stages[1].rules.added = rules.added.filter { going.contains($0.mark) }
        stages[1].rules.removed = rules.removed.filter { coming.contains($0.mark) }
        stages[2].rules.removed = rules.removed.filter { !coming.contains($0.mark) }
        for index in stages.indices {
            stages[index].ingress = ingress[index]
            stages[index].egress = egress[index]
        }
        stages[1].own = own
        stages[1].peers4 = peers4
        stages[1].peers6 = peers6
        return stages.filter { !$0.isEmpty }
    }

    private init() {
        self.init(
            createsTable: false, own: Delta(), peers4: Delta(), peers6: Delta(), ingress: Delta(),
            egress: Delta(), rules: Delta())
    }
}

extension Changeset.Delta<Admission> {
    /// Admissions of a class of which others go take their place in the same moment.
    fileprivate var staged: [Self] {
        let comes = Set(added.map(\.peerClass))
        let goes = Set(removed.map(\.peerClass))
        return [
            Self(added: added.filter { !goes.contains($0.peerClass) }),
            Self(
                removed: removed.filter { comes.contains($0.peerClass) },
                added: added.filter { goes.contains($0.peerClass) }),
            Self(removed: removed.filter { !comes.contains($0.peerClass) }),
        ]
    }
}
