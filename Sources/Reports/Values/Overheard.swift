/// Frames that a bridge gave to everybody, dropped on their way to endpoints that they weren't for.
///
/// They are nobody's attempt, so they are neither refused nor lost.
public struct Overheard: Hashable, Sendable, Codable {
    /// Frames for another link-layer address, from a bridge that didn't know where it is.
    public var flooded: Tally
    /// What hosts say to routers and to groups.
    public var multicast: Tally

    public init(flooded: Tally = Tally(), multicast: Tally = Tally()) {
        self.flooded = flooded
        self.multicast = multicast
    }

    public static func + (left: Overheard, right: Overheard) -> Overheard {
        Overheard(
            flooded: left.flooded + right.flooded, multicast: left.multicast + right.multicast)
    }

    /// Each kind with its count, in the order in which they are told.
    public var kinds: [(kind: String, counts: Tally)] {
        [("flooded", flooded), ("multicast", multicast)]
    }
}
