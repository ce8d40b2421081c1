internal import Foundation

/// The seeds that a random test runs with.
public enum Seeds {
    /// The one in `RINGFENCE_SEED`; without it, some that are always the same and a new one.
    ///
    /// Failures name their seed, so a new one loses nothing.
    public static let all: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["RINGFENCE_SEED"] {
            guard let seed = UInt64(text) else {
                preconditionFailure("RINGFENCE_SEED is '\(text)', and must be a number")
            }
            return [seed]
        }
        return [1, 2, UInt64.random(in: 1_000...999_999_999)]
    }()
}
