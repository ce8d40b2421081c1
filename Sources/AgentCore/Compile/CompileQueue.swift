/// Which compilation goes on beside the loop, and what has to follow it.
///
/// One compilation is in flight at most. What changes meanwhile either is added to its result (policy files), or
/// makes it necessary to compile again (tenants, namespaces, addresses).
public struct CompileQueue: Hashable, Sendable {
    /// What a compilation that ended leaves to do.
    public struct Rest: Hashable, Sendable {
        /// Files whose change the result doesn't contain.
        public var files: Set<String>
        /// Whether everything has to be compiled again.
        public var isOutdated: Bool
    }

    /// Nil while nothing is in flight.
    private var rest: Rest?

    /// Nothing is in flight.
    public init() {}

    /// Whether a compilation is in flight.
    public var isBusy: Bool { rest != nil }

    /// Begins a compilation, or has everything compiled again when the one in flight is done.
    ///
    /// - Returns: Whether it is to begin now.
    public mutating func begin() -> Bool {
        guard rest == nil else {
            rest?.isOutdated = true
            return false
        }
        rest = Rest(files: [], isOutdated: false)
        return true
    }

    /// Some policy files changed after the compilation in flight began.
    public mutating func note(changed files: Set<String>) { rest?.files.formUnion(files) }

    /// The compilation in flight is done.
    ///
    /// - Returns: What it leaves to do.
    public mutating func end() -> Rest {
        defer { rest = nil }
        return rest ?? Rest(files: [], isOutdated: false)
    }
}
