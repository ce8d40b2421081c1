/// One run of the machine with what its packets are held against.
struct Trial {
    let scenario: Scenario
    let judgement: Judgement
    let realm: Realm
    let machine: Machine

    /// Follows some of a leaf's packets once more, which find one value each where the leaf's are
    /// given several: what is told of them is what they meet themselves.
    func exact(_ leaf: Leaf, _ space: Space) -> (leaf: Leaf, space: Space) {
        guard machine.fields.hasImages else { return (leaf, space) }
        var space = space
        for field in Set(machine.fields.images.compactMap { $0?.field }) {
            let domain = space.domain(field, width: machine.fields.widths[field])
            space.set(field, .single(domain.first))
        }
        var machine = machine
        var found: Leaf?
        machine.follow(space) { end in
            if found == nil, end.fate == leaf.fate { found = end }
        }
        return (found ?? leaf, space)
    }
}
