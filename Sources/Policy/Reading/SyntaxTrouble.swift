internal import YAML

/// Why a text isn't YAML, in words that help.
struct SyntaxTrouble {
    let message: String
    let fix: String
    /// Counted in the text that was read.
    let mark: YAMLMark?

    init(_ error: YAMLError) {
        let problem = error.problem
        if problem.contains("Maximum nesting level") {
            self.init("lists and mappings are nested too deep", mark: error.mark)
        } else if problem.contains("undefined alias") {
            self.init(
                "an unquoted '*' starts an alias, and policy files use none", mark: error.mark)
        } else if error.context?.text.contains("scanning an alias") == true {
            self.init(
                "an unquoted '*' starts an alias, and policy files use none",
                mark: error.context?.mark ?? error.mark)
        } else if problem.contains("unexpected end of stream"), let context = error.context {
            self.init("the quote that opens here is never closed", mark: context.mark)
        } else {
            let context = error.context.map { " \($0.text)" } ?? ""
            self.init("not valid YAML:\(context) \(problem)", mark: error.mark)
        }
    }

    private init(_ message: String, mark: YAMLMark?) {
        self.message = message
        self.mark = mark
        fix =
            Self.fixes.first { message.contains($0.symptom) }?.fix
            ?? "check the indentation, the quotes and the ': ' after each key around this place"
    }

    private static let fixes: [(symptom: String, fix: String)] = [
        ("nested too deep", "write the flat form that docs/policy-format.md shows"),
        ("starts an alias", "put the text in quotes, such as \"*\""),
        ("never closed", "close it, on the same line if the text has one line"),
        (
            "mapping values are not allowed",
            "put a text that holds ': ' in quotes, or indent the line like its neighbours"
        ),
        ("cannot start any token", "put the text in quotes"),
        ("expected ',' or ']'", "separate the items by ',' and close the list by ']'"),
        ("expected ',' or '}'", "separate the entries by ',' and close the mapping by '}'"),
        ("could not find expected ':'", "write ': ' after the key"),
    ]
}
