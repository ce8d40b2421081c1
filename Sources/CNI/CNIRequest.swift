internal import FoundationEssentials
internal import NetTypes
internal import Reports

/// What a container runtime asks of the plugin: the environment and the configuration that it
/// writes to standard input.
public struct CNIRequest: Hashable, Sendable {
    public enum Command: String, Hashable, Sendable {
        case add = "ADD"
        case delete = "DEL"
        case check = "CHECK"
        case status = "STATUS"
        case version = "VERSION"
    }

    public let command: Command
    /// The version of the specification that the answer is written in.
    let version: String
    let namespace: String?
    let socket: String
    let tenant: String?
    let labels: [String: String]
    let timeout: Int
    let previous: JSONValue?

    static let versions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0"]
    static let latest = "1.0.0"

    /// No configuration is longer.
    public static let greatestInput = 1 << 20

    /// Reads and checks a request.
    public init(environment: [String: String], input: [UInt8]) throws(CNIError) {
        guard let word = environment["CNI_COMMAND"], let command = Command(rawValue: word) else {
            throw CNIError(
                .invalidEnvironment, "CNI_COMMAND is '\(environment["CNI_COMMAND"] ?? "")'",
                details: "it is one of ADD, DEL, CHECK, STATUS and VERSION")
        }
        self.command = command
        let configuration = try Self.configuration(input)
        version = try Self.version(configuration, for: command)
        socket = try Self.text(configuration, "socket") ?? "/run/ringfence/agent.sock"
        tenant = try Self.text(configuration, "tenant")
        labels = try Self.labels(configuration)
        timeout = try Self.timeout(configuration)
        previous = configuration["prevResult"]
        namespace = environment["CNI_NETNS"].flatMap { $0.isEmpty ? nil : $0 }
        if [.add, .check].contains(command), namespace == nil {
            throw CNIError(
                .invalidEnvironment, "CNI_NETNS is empty",
                details: "the plugin needs the path of the container's network namespace")
        }
        if tenant == nil, !labels.isEmpty {
            throw CNIError(
                .invalidConfiguration, "'labels' without 'tenant'",
                details: "name the tenant, or give the labels in its policy file")
        }
    }

    private static func configuration(_ input: [UInt8]) throws(CNIError) -> JSONValue {
        guard input.count <= greatestInput else {
            throw CNIError(
                .decoding, "the configuration is longer than \(greatestInput) bytes", details: "")
        }
        do {
            let value = try JSONDecoder().decode(JSONValue.self, from: Data(input))
            guard value.object != nil else {
                throw CNIError(.decoding, "the configuration is no object", details: "")
            }
            return value
        } catch let error as CNIError {
            throw error
        } catch {
            throw CNIError(.decoding, "the configuration is no JSON", details: "\(error)")
        }
    }

    private static func version(
        _ configuration: JSONValue, for command: Command
    ) throws(CNIError) -> String {
        let version = try text(configuration, "cniVersion") ?? "0.3.0"
        if command == .version || versions.contains(version) { return version }
        throw CNIError(
            .incompatibleVersion, "version '\(version)' of CNI is not known",
            details: "use one of \(versions.joined(separator: ", "))")
    }

    private static func text(
        _ configuration: JSONValue, _ key: String
    ) throws(CNIError) -> String? {
        switch configuration[key] {
        case nil, .null: return nil
        case .text(let value) where !value.isEmpty: return value
        default:
            throw CNIError(.invalidConfiguration, "'\(key)' is no text", details: "write a string")
        }
    }

    private static func labels(_ configuration: JSONValue) throws(CNIError) -> [String: String] {
        guard let value = configuration["labels"], value != .null else { return [:] }
        let labels = value.object?.compactMapValues(\.text)
        guard let labels, labels.count == value.object?.count else {
            throw CNIError(
                .invalidConfiguration, "'labels' is no object of texts",
                details: #"write it as {"app": "web"}"#)
        }
        return labels
    }

    /// Seconds in the file, milliseconds here.
    private static func timeout(_ configuration: JSONValue) throws(CNIError) -> Int {
        guard let value = configuration["timeout"], value != .null else { return 10_000 }
        let most = EnforcementRequest.longestWait / 1000
        guard let seconds = value.integer, (1...Int64(most)).contains(seconds) else {
            throw CNIError(
                .invalidConfiguration, "'timeout' is no number of seconds",
                details: "write a whole number from 1 to \(most)")
        }
        return Int(seconds) * 1000
    }

    /// The addresses that plugins before this one gave to the container.
    var addresses: [IPAddress] {
        (previous?["ips"]?.list ?? []).filter(isContainers).compactMap {
            $0["address"]?.text?.split(separator: "/").first.flatMap { IPAddress(String($0)) }
        }
    }

    /// An address may belong to an interface that stays on the host.
    private func isContainers(_ address: JSONValue) -> Bool {
        guard let index = address["interface"]?.integer,
            let interfaces = previous?["interfaces"]?.list,
            interfaces.indices.contains(Int(clamping: index))
        else { return true }
        return interfaces[Int(clamping: index)]["sandbox"]?.text?.isEmpty == false
    }
}
