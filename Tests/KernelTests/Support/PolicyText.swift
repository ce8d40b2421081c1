import NetTypes
import Policy

/// Documents as tests write them.
enum PolicyText {
    static func tenant(_ name: String, _ more: String = "") -> String {
        tenant(name, endpoints: "[{namespace: \"\(name)*\"}]", more)
    }

    static func tenant(_ name: String, endpoints: String, _ more: String = "") -> String {
        """
        apiVersion: ringfence/v1
        kind: Tenant
        name: \(name)
        endpoints: \(endpoints)
        \(more)

        """
    }

    /// A policy from `a` to `b`, unless told otherwise.
    static func policy(
        _ services: String..., name: String = "a-to-b", from: String = "{tenant: a}",
        to: String = "{tenant: b}"
    ) -> String {
        """
        apiVersion: ringfence/v1
        kind: Policy
        name: \(name)
        from: [\(from)]
        to: [\(to)]
        allow:
        \(services.map { "  - {\($0)}" }.joined(separator: "\n"))

        """
    }

    static func documents(_ texts: String...) -> String { texts.joined(separator: "---\n") }

    static func udp(_ ports: String) -> String { "protocol: udp, ports: [\(ports)]" }

    static func tcp(_ ports: String) -> String { "protocol: tcp, ports: [\(ports)]" }
}
