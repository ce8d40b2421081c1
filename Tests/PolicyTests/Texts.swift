import Policy

/// Small documents for tests.
enum Texts {
    static func tenant(_ name: String, _ body: String = "") -> String {
        "apiVersion: ringfence/v1\nkind: Tenant\nname: \(name)\n\(body)\n"
    }

    static func policy(
        _ name: String, from: String = "{tenant: shop}", to: String = "{tenant: db}",
        allow: String = "{protocol: tcp, ports: [5432]}"
    ) -> String {
        """
        apiVersion: ringfence/v1
        kind: Policy
        name: \(name)
        from: [\(from)]
        to: [\(to)]
        allow: [\(allow)]

        """
    }

    static func documents(_ texts: String...) -> String { texts.joined(separator: "---\n") }
}

extension PolicySet {
    /// The set of one text.
    init(_ texts: String...) throws {
        try self.init(
            checking: texts.enumerated().map {
                try PolicyFile(parsing: $1, path: "\($0).yaml")
            })
    }
}
