internal import NetTypes

/// The flow's marks that stand for rules which the policies hold.
///
/// Kinds of packets come with the same few sets of marks again and again, so the last answer is
/// kept.
final class BackedMarks {
    private let marks: IntervalSet<UInt128>
    private var last: (domain: Domain, answer: (live: Domain, dead: Domain))?

    init(_ marks: some Sequence<UInt32>) {
        self.marks = IntervalSet(marks.map { UInt128($0)...UInt128($0) })
    }

    /// The marks of rules, and all others.
    func split(_ domain: Domain) -> (live: Domain, dead: Domain) {
        if let last, last.domain == domain { return last.answer }
        let (live, dead) = domain.split(by: marks, bytes: 4)
        last = (domain, (live, dead))
        return (live, dead)
    }
}
