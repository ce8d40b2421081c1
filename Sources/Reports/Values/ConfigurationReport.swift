/// How an agent is configured: each value, and where it comes from.
public struct ConfigurationReport: Hashable, Sendable, Codable {
    public struct Value: Hashable, Sendable, Codable {
        public var key: String
        /// Nil where nothing is said and nothing is needed.
        public var value: String?
        /// An option, a variable, a file with line and column, or `default`.
        public var source: String

        public init(key: String, value: String?, source: String) {
            self.key = key
            self.value = value
            self.source = source
        }
    }

    public var values: [Value]

    public init(values: [Value]) { self.values = values }
}
