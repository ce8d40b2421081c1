public import NetTypes

/// What a file of history holds, read from the file itself.
public struct StoreInfo: Hashable, Sendable, Codable {
    /// One table, and the time that its rows span.
    public struct Content: Hashable, Sendable, Codable {
        public var table: String
        public var rows: Int
        public var oldest: Timestamp?
        public var newest: Timestamp?

        public init(table: String, rows: Int, oldest: Timestamp? = nil, newest: Timestamp? = nil) {
            self.table = table
            self.rows = rows
            self.oldest = oldest
            self.newest = newest
        }
    }

    public var path: String
    /// Of the file and its log, in bytes.
    public var bytes: Int64
    /// The bytes of the file that no row needs; new rows go there.
    public var freeBytes: Int64
    /// The version of the tables.
    public var schema: String
    public var contents: [Content]
    /// What contradicts itself in the file; empty if nothing does.
    public var damage: [String]

    public init(
        path: String, bytes: Int64, freeBytes: Int64, schema: String, contents: [Content],
        damage: [String] = []
    ) {
        self.path = path
        self.bytes = bytes
        self.freeBytes = freeBytes
        self.schema = schema
        self.contents = contents
        self.damage = damage
    }
}
