/// How many namespaces the limit on open files leaves room for.
///
/// A part of the limit is kept free: for questions, for policy files, and for entering a namespace to close it.
public struct DescriptorBudget: Hashable, Sendable {
    /// How many descriptors one namespace takes while it is open: its sockets.
    public static let perNamespace = 5
    /// How many more are needed for a moment while some are opened.
    private static let whileOpening = 16

    private let capacity: Int

    /// - Parameters:
    ///   - limit: The soft limit on open files (`RLIMIT_NOFILE`).
    ///   - base: How many are open for everything but namespaces, or will be.
    public init(limit: Int, base: Int) {
        let reserve = min(max(limit / 8, 32), 1024)
        capacity = max(0, limit - base - reserve - Self.whileOpening) / Self.perNamespace
    }

    /// How many namespaces can be open at most.
    public var mostNamespaces: Int { capacity }

    /// How many more can be opened.
    ///
    /// - Parameter open: How many are open.
    /// - Returns: 0 where the limit is reached.
    public func room(besides open: Int) -> Int { max(0, capacity - open) }
}
