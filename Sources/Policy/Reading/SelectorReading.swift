extension DocumentReader {
    /// The labels of a tenant or an endpoint.
    mutating func labels(_ node: SourceNode) -> Labels {
        guard case .mapping(let entries) = node.content else {
            report(
                "labels are a mapping, and here stands \(node.found)",
                fix: "write each label as 'KEY: VALUE', such as '{env: prod}'", at: node.place)
            return [:]
        }
        var labels: Labels = [:]
        for entry in entries {
            let isKey = checkName(entry.key, "a label's key", .labelKey, at: entry.keyPlace)
            guard let value = name(entry.value, "a label's value", .labelValue), isKey else {
                continue
            }
            labels[entry.key] = value
        }
        return labels
    }

    /// A selector with at least one condition.
    mutating func selector(_ node: SourceNode, ifEmpty fix: String) -> LabelSelector? {
        guard
            let fields = fields(
                node, of: "a selector", keys: ["matchLabels", "matchExpressions"],
                example: "{matchLabels: {env: prod}}")
        else { return nil }
        guard !fields.entries.isEmpty else {
            return report("the selector is empty", fix: fix, at: node.place)
        }
        return LabelSelector(
            matchLabels: fields["matchLabels"].map { matchLabels($0, ifEmpty: fix) } ?? [:],
            requirements: fields["matchExpressions"].map { requirements($0, ifEmpty: fix) } ?? [])
    }

    private mutating func matchLabels(_ node: SourceNode, ifEmpty fix: String) -> Labels {
        if case .mapping(let entries) = node.content, entries.isEmpty {
            report("matchLabels is empty", fix: fix, at: node.place)
        }
        return labels(node)
    }

    private mutating func requirements(
        _ node: SourceNode, ifEmpty fix: String
    ) -> [LabelSelector.Requirement] {
        let example = "matchExpressions: [{key: env, operator: In, values: [prod]}]"
        let items = items(node, of: "matchExpressions", example: example, ifEmpty: fix)
        return (items ?? []).compactMap { requirement($0) }
    }

    private mutating func requirement(_ node: SourceNode) -> LabelSelector.Requirement? {
        let what = "a match expression"
        guard
            let fields = fields(
                node, of: what, keys: ["key", "operator", "values"],
                example: "{key: env, operator: In, values: [prod]}")
        else { return nil }
        let key = require("key", in: fields, of: what, example: "key: env")
            .flatMap { name($0, "key", .labelKey) }
        let operation = require("operator", in: fields, of: what, example: "operator: In")
            .flatMap { word($0, "operator", among: ["In", "NotIn", "Exists", "DoesNotExist"]) }
        guard let operation else { return nil }
        guard operation == "In" || operation == "NotIn" else {
            refuseValues(fields, operation)
            return key.map { operation == "Exists" ? .exists(key: $0) : .doesNotExist(key: $0) }
        }
        guard let values = values(fields, operation), let key else { return nil }
        return operation == "In"
            ? .isIn(key: key, values: values) : .isNotIn(key: key, values: values)
    }

    private mutating func values(_ fields: Fields, _ operation: String) -> [String]? {
        require("values", in: fields, of: "the operator \(operation)", example: "values: [prod]")
            .flatMap {
                items(
                    $0, of: "values", example: "values: [prod]",
                    ifEmpty: "list a value, or write 'operator: Exists' or 'DoesNotExist'")
            }
            .map { $0.compactMap { name($0, "a value", .labelValue) } }
    }

    private mutating func refuseValues(_ fields: Fields, _ operation: String) {
        guard let place = fields.keyPlace("values") else { return }
        report(
            "the operator \(operation) takes no values",
            fix: "delete 'values', or write 'operator: In' or 'NotIn'", at: place)
    }
}
