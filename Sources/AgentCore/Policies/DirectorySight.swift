public import NetTypes

/// Whether the policy directory is believed when it says that files are gone.
///
/// A directory that holds no policy file any more, though files are in force, may have been unmounted, replaced or
/// emptied by mistake. Nobody can tell that from an order to revoke everything, so it is taken for a loss of
/// sight: what is in force stays until the directory holds a file again, or an operator confirms that it is to be
/// empty.
public struct DirectorySight: Hashable, Sendable {
    /// Since when the directory is empty and not believed; nil while it is followed.
    public private(set) var lostSince: Timestamp?
    private var isConfirmed = false

    /// The directory is followed.
    public init() {}

    /// Decides whether files that are absent now are to be taken out of force.
    ///
    /// - Parameters:
    ///   - inForce: How many files are in force.
    ///   - present: How many policy files the directory holds now, readable or not.
    ///   - moment: The time now.
    /// - Returns: Whether absent files are to be followed.
    public mutating func believes(inForce: Int, present: Int, at moment: Timestamp) -> Bool {
        if present > 0 {
            lostSince = nil
            isConfirmed = false
            return true
        }
        guard inForce > 0, !isConfirmed else {
            lostSince = nil
            return true
        }
        lostSince = lostSince ?? moment
        return false
    }

    /// The directory is empty though the kernel enforces what an earlier agent was told.
    ///
    /// - Parameter moment: The time now.
    public mutating func lose(at moment: Timestamp) { lostSince = lostSince ?? moment }

    /// An operator says that the directory is to be empty.
    ///
    /// - Returns: Whether there was anything to confirm.
    public mutating func confirm() -> Bool {
        guard lostSince != nil else { return false }
        isConfirmed = true
        return true
    }
}
