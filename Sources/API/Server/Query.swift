import Hummingbird
import NetTypes
import Policy
import Reports

/// The checked query parameters of a request.
struct Query {
    private let values: [String: String]

    /// Refuses what the route doesn't know and what is given twice.
    init(_ request: Request, allowed: [String]) throws(APIProblem) {
        var values: [String: String] = [:]
        for (key, value) in request.uri.queryParameters {
            let name = String(key)
            guard allowed.contains(name) else {
                throw APIProblem(
                    error: "unknown query parameter '\(name)'",
                    fix: allowed.isEmpty
                        ? "leave the query out" : "use \(allowed.joined(separator: " or "))")
            }
            guard values.updateValue(String(value), forKey: name) == nil else {
                throw APIProblem(
                    error: "query parameter '\(name)' is given twice", fix: "give it once")
            }
        }
        self.values = values
    }

    /// False where the parameter is absent.
    func flag(_ name: String) throws(APIProblem) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "true": return true
        case .some(let value):
            throw APIProblem(
                error: "'\(value)' is no value of '\(name)'", fix: "write true or false")
        }
    }

    func timestamp(_ name: String) throws(APIProblem) -> Timestamp? {
        guard let value = values[name] else { return nil }
        guard let moment = Timestamp(value) else {
            throw APIProblem(
                error: "'\(value)' in '\(name)' is not a time",
                fix: "write it in UTC like 2026-01-02T03:04:05.678Z")
        }
        return moment
    }

    /// Nil where the parameter is absent.
    func text(_ name: String) -> String? { values[name] }

    /// How many rows to give at most.
    func limit(_ standard: Int = 1000) throws(APIProblem) -> Int {
        try limitIfGiven() ?? standard
    }

    /// Nil where the parameter is absent.
    func limitIfGiven() throws(APIProblem) -> Int? {
        guard let value = values["limit"] else { return nil }
        guard let limit = Int(value), (1...Self.most).contains(limit), String(limit) == value
        else {
            throw APIProblem(
                error: "'\(value)' is no value of 'limit'",
                fix: "write a number from 1 to \(Self.most)")
        }
        return limit
    }

    /// A tenant's name; nil where the parameter is absent.
    func tenant() throws(APIProblem) -> String? {
        guard let value = values["tenant"] else { return nil }
        guard NameForm.name.admits(value) else {
            throw APIProblem(
                error: "'\(value)' is no name of a tenant", fix: "write \(NameForm.name.rule)")
        }
        return value
    }

    /// A tenant by its name, or `host`, `world` or an address behind a colon: `:world`.
    func party(_ name: String) throws(APIProblem) -> PartyName? {
        guard let value = values[name] else { return nil }
        guard let party = PartyName(parsing: value),
            party.kind != .tenant || NameForm.name.admits(value)
        else {
            throw APIProblem(
                error: "'\(value)' in '\(name)' is nobody",
                fix: "write a tenant's name, or :host, :world or an address such as :192.0.2.1")
        }
        return party
    }

    func reason(_ name: String) throws(APIProblem) -> RefusalReason? {
        guard let value = values[name] else { return nil }
        guard let reason = RefusalReason(rawValue: value) else {
            throw APIProblem(
                error: "'\(value)' is no reason",
                fix: "use one of "
                    + RefusalReason.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return reason
    }

    /// More rows than this take several pages.
    static let most = 10_000

    static let badCursor = APIProblem(
        error: "the cursor is none that an answer gave", fix: "start again without one")
}
