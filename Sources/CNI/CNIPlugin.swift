internal import API
internal import FoundationEssentials
internal import Reports

/// The chained plugin: a container's namespace is enforced before anything runs in it.
///
/// It adds no interface and no address; plugins before it in the chain do. `ADD` returns when the
/// agent says that the policy is in force for the namespace with all the addresses that it was
/// given; else it fails, and the runtime starts no container.
public struct CNIPlugin: Sendable {
    /// What goes to standard output, and how the process ends.
    public struct Outcome: Hashable, Sendable {
        public let output: String
        public let status: Int32
    }

    /// The name that runtimes call the program by.
    public static let name = "ringfence-cni"

    public init() {}

    /// Does what a runtime asks.
    public func answer(environment: [String: String], input: [UInt8]) async -> Outcome {
        var version = CNIRequest.latest
        do throws(CNIError) {
            if environment["CNI_COMMAND"] == CNIRequest.Command.version.rawValue {
                return Self.outcome(Self.versions, status: 0)
            }
            let request = try CNIRequest(environment: environment, input: input)
            version = request.version
            return Self.outcome(try await answer(request), status: 0)
        } catch {
            return Self.outcome(error.json(version: version), status: 1)
        }
    }

    private static var versions: JSONValue {
        .object([
            "cniVersion": .text(CNIRequest.latest),
            "supportedVersions": .list(CNIRequest.versions.map { .text($0) }),
        ])
    }

    private static func outcome(_ value: JSONValue?, status: Int32) -> Outcome {
        let text = value.flatMap { try? ReportJSON.text($0) } ?? ""
        return Outcome(output: text, status: status)
    }

    private func answer(_ request: CNIRequest) async throws(CNIError) -> JSONValue? {
        let client = APIClient(socketPath: request.socket)
        switch request.command {
        case .add:
            try await enforce(request, client, announcing: true)
            return request.previous
                ?? .object([
                    "cniVersion": .text(request.version), "interfaces": .list([]), "ips": .list([]),
                ])
        case .check:
            try await enforce(request, client, announcing: false)
            return nil
        case .delete:
            await forget(request, client)
            return nil
        case .status:
            try await checkThere(client)
            return nil
        case .version: return Self.versions
        }
    }

    private func enforce(
        _ request: CNIRequest, _ client: APIClient, announcing: Bool
    ) async throws(CNIError) {
        do {
            _ = try await client.enforce(
                EnforcementRequest(
                    namespace: request.namespace, tenant: announcing ? request.tenant : nil,
                    labels: announcing ? request.labels : nil, addresses: request.addresses,
                    timeoutMilliseconds: request.timeout))
        } catch let error as APIClientError {
            throw CNIError(error)
        } catch {
            throw CNIError(.tryAgainLater, "the agent gave no answer", details: "\(error)")
        }
    }

    /// Never fails: a namespace that is taken down has to go, and the agent forgets what isn't there.
    private func forget(_ request: CNIRequest, _ client: APIClient) async {
        guard let namespace = request.namespace, request.tenant != nil else { return }
        try? await client.forget(EnforcementRequest(namespace: namespace))
    }

    /// An agent that has nothing to enforce yet is one that a container can come to.
    private func checkThere(_ client: APIClient) async throws(CNIError) {
        do {
            _ = try await client.status()
        } catch {
            throw CNIError(.notAvailable, "the agent gave no answer", details: "\(error)")
        }
    }
}

extension CNIError {
    /// An agent that can't be reached may come back; one that refuses will refuse again.
    init(_ error: APIClientError) {
        switch error {
        case .refused(504, let message, let fix):
            self.init(.tryAgainLater, message, details: fix)
        case .refused(_, let message, let fix): self.init(.notEnforced, message, details: fix)
        default:
            let lines = error.description.split(separator: "\n", maxSplits: 1)
            self.init(
                .tryAgainLater, lines.first.map(String.init) ?? "the agent gave no answer",
                details: lines.count > 1 ? String(lines[1]) : "")
        }
    }
}
