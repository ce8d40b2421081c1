import NetTypes
import Testing

@testable import CNI

struct CNIRequestTests {
    private static let environment = ["CNI_COMMAND": "ADD", "CNI_NETNS": "/run/netns/a"]

    private static func request(_ text: String) throws(CNIError) -> CNIRequest {
        try CNIRequest(environment: environment, input: Array(text.utf8))
    }

    @Test func `everything is read`() throws {
        let request = try Self.request(
            #"""
            {"cniVersion": "1.0.0", "name": "n", "type": "ringfence-cni", "tenant": "shop",
             "labels": {"app": "web"}, "socket": "/s", "timeout": 3, "prevResult": {}}
            """#)
        #expect(request.command == .add)
        #expect(request.namespace == "/run/netns/a")
        #expect(request.tenant == "shop")
        #expect(request.labels == ["app": "web"])
        #expect(request.socket == "/s")
        #expect(request.timeout == 3000)
    }

    @Test(
        arguments: [
            ("", .decoding), ("[]", .decoding), ("{", .decoding), ("null", .decoding),
            (#"{"cniVersion": "9.0.0"}"#, .incompatibleVersion),
            (#"{"cniVersion": 1}"#, .invalidConfiguration),
            (#"{"tenant": ""}"#, .invalidConfiguration),
            (#"{"tenant": ["shop"]}"#, .invalidConfiguration),
            (#"{"labels": {"app": "web"}}"#, .invalidConfiguration),
            (#"{"tenant": "shop", "labels": {"app": 1}}"#, .invalidConfiguration),
            (#"{"tenant": "shop", "labels": []}"#, .invalidConfiguration),
            (#"{"timeout": 0}"#, .invalidConfiguration),
            (#"{"timeout": 1e9}"#, .invalidConfiguration),
            (#"{"timeout": "3"}"#, .invalidConfiguration),
            (String(repeating: "[", count: 100_000), .decoding),
            (String(repeating: " ", count: 1 << 20) + "{}", .decoding),
        ] as [(String, CNIError.Code)]
    )
    func `refuses`(_ text: String, _ code: CNIError.Code) {
        let error = #expect(throws: CNIError.self) { try Self.request(text) }
        #expect(error?.code == code)
    }

    @Test(
        arguments: [
            ([:], .invalidEnvironment), (["CNI_COMMAND": "add"], .invalidEnvironment),
            (["CNI_COMMAND": "ADD"], .invalidEnvironment),
            (["CNI_COMMAND": "CHECK", "CNI_NETNS": ""], .invalidEnvironment),
        ] as [([String: String], CNIError.Code)]
    )
    func `needs an environment`(_ environment: [String: String], _ code: CNIError.Code) {
        let error = #expect(throws: CNIError.self) {
            try CNIRequest(environment: environment, input: Array("{}".utf8))
        }
        #expect(error?.code == code)
    }

    /// Only what the container itself got has to be its own.
    @Test func `addresses of the container`() throws {
        let request = try Self.request(
            #"""
            {"cniVersion": "1.0.0", "prevResult": {
              "interfaces": [{"name": "cni0"}, {"name": "eth0", "sandbox": "/run/netns/a"}],
              "ips": [{"address": "10.0.0.1/24", "interface": 0},
                      {"address": "10.0.0.2/24", "interface": 1}, {"address": "fd00::2/64"},
                      {"address": "nonsense"}, {"address": "10.0.0.3/24", "interface": 99}]}}
            """#)
        #expect(request.addresses.map(\.description) == ["10.0.0.2", "fd00::2", "10.0.0.3"])
    }
}

struct CNIPluginTests {
    private static func outcome(
        _ command: String, _ configuration: String
    ) async -> CNIPlugin.Outcome {
        await CNIPlugin().answer(
            environment: ["CNI_COMMAND": command, "CNI_NETNS": "/run/netns/none"],
            input: Array(configuration.utf8))
    }

    @Test func `tells its versions, whatever the configuration`() async {
        let outcome = await Self.outcome("VERSION", "")
        #expect(outcome.status == 0)
        #expect(outcome.output.contains(#""supportedVersions""#))
        #expect(outcome.output.contains("1.0.0"))
    }

    /// Nothing may start in a namespace that nobody guards; taking one down has to go on.
    @Test(
        arguments: [("ADD", 1, 11), ("CHECK", 1, 11), ("STATUS", 1, 50), ("DEL", 0, nil)]
            as [(String, Int32, Int?)])
    func `without an agent`(_ command: String, _ status: Int32, _ code: Int?) async {
        let outcome = await Self.outcome(
            command,
            #"{"cniVersion": "1.0.0", "tenant": "shop", "socket": "/nonexistent/agent.sock"}"#)
        #expect(outcome.status == status)
        if let code {
            #expect(outcome.output.contains(#""code" : \#(code)"#))
            #expect(outcome.output.contains("no agent is listening"))
        } else {
            #expect(outcome.output.isEmpty)
        }
    }
}
