import Hummingbird
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
}
