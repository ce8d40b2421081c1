/// Why the client has no answer.
public enum APIClientError: Error, Hashable, Sendable {
    /// Nothing accepts connections at the path.
    case noAgent(path: String)
    case permissionDenied(path: String)
    /// The connection failed for another reason.
    case connection(path: String, reason: String)
    /// The agent took the request, but didn't answer in time.
    case silent(path: String, after: Duration)
    /// The connection ended within an answer.
    case cutOff(path: String)
    /// The agent refused the request.
    case refused(status: Int, error: String, fix: String)
    /// The answer is not what this version of the client understands.
    case notUnderstood(request: String, reason: String)
}

extension APIClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noAgent(let path):
            "no agent is listening at \(path)\n"
                + "  fix: start it with 'ringfence agent', or name its socket with --socket"
        case .permissionDenied(let path):
            "no permission to talk to the agent at \(path)\n  fix: run as root"
        case .connection(let path, let reason):
            "the agent at \(path) can't be reached: \(reason)\n  fix: see its log, and try again"
        case .silent(let path, let time):
            "the agent at \(path) did not answer within \(time)\n  fix: see its log"
        case .cutOff(let path):
            "the agent at \(path) ended the connection\n  fix: see whether it runs, and try again"
        case .refused(let status, let error, let fix):
            "the agent refused (\(status)): \(error)\n  fix: \(fix)"
        case .notUnderstood(let request, let reason):
            "the answer to \(request) makes no sense: \(reason)\n"
                + "  fix: use a client of the agent's version"
        }
    }
}
