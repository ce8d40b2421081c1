internal import Policy

/// One path of the API, as the document describes it.
struct Operation {
    enum Method: String {
        case get
        case post
    }

    let path: String
    var method = Method.get
    let id: String
    let summary: String
    var parameters: [SchemaValue] = []
    /// What a request carries; nil for nothing.
    var request: SchemaValue?
    /// What 200 carries, by its content type.
    let answers: [(type: String, schema: SchemaValue)]
    /// Statuses of its own beside those that every path has.
    var problems: [(status: Int, description: String)] = []

    /// An answer of JSON.
    init(
        _ path: String, _ id: String, _ summary: String, _ schema: String,
        parameters: [SchemaValue] = []
    ) {
        self.init(
            path, id, summary, parameters: parameters,
            answers: [("application/json", .named(schema))])
    }

    init(
        _ path: String, _ id: String, _ summary: String, parameters: [SchemaValue] = [],
        answers: [(type: String, schema: SchemaValue)],
        problems: [(status: Int, description: String)] = []
    ) {
        self.path = path
        self.id = id
        self.summary = summary
        self.parameters = parameters
        self.answers = answers
        self.problems = problems
    }

    /// A request that changes something, which the socket alone takes.
    static func change(
        _ path: String, _ id: String, _ summary: String, _ request: String,
        answer: (type: String, schema: SchemaValue)
    ) -> Operation {
        var operation = Operation(path, id, summary, answers: [answer], problems: changeProblems)
        operation.method = .post
        operation.request = .named(request)
        return operation
    }

    private static let changeProblems = [
        (404, "There is no such namespace, process or tenant."),
        (405, "On the TCP port: nothing can be changed there."),
        (409, "The namespace is another's, or nobody's."),
        (413, "The request is longer than any that makes sense."),
        (504, "It took longer than the request waits."),
    ]

    var item: SchemaValue {
        var operation: [(String, SchemaValue)] = [
            ("operationId", .text(id)), ("summary", .text(summary)),
        ]
        if !parameters.isEmpty { operation.append(("parameters", .list(parameters))) }
        if let request {
            operation.append(
                (
                    "requestBody",
                    ["required": true, "content": ["application/json": ["schema": request]]]
                ))
        }
        operation.append(("responses", responses))
        return .object([(method.rawValue, .object(operation))])
    }

    private var responses: SchemaValue {
        let content = answers.map { ($0.type, ["schema": $0.schema] as SchemaValue) }
        let answer: SchemaValue = ["description": .text(summary), "content": .object(content)]
        let refusals = (problems + Self.problems).sorted { $0.status < $1.status }.map {
            (String($0.status), Self.refusal($0.description))
        }
        return .object([("200", answer)] + refusals)
    }

    private static func refusal(_ description: String) -> SchemaValue {
        [
            "description": .text(description),
            "content": ["application/json": ["schema": .named("Problem")]],
        ]
    }

    /// What every path may answer.
    private static let problems = [
        (400, "A parameter is unknown, given twice, or has a value that it can't have."),
        (421, "On the TCP port: the Host header names another host than this one."),
        (500, "The agent could not find out."),
    ]
}
