import NetTypes

/// What to do so that a refused flow passes, and no more than it.
///
/// Advice is followed to the letter. So it opens one service between the two ends, or nothing: never every
/// port, no port that callers are given, and no call in the direction in which answers pass by themselves.
struct Advice {
    let question: Question

    /// What to do about a rule that lacks something.
    ///
    /// A rule pairs everything in `from` with everything in `to` and `allow`. So it is extended where it is
    /// about these two ends alone and one thing is missing; otherwise the flow gets a policy of its own.
    func fix(_ rule: Rule, lacking lacks: [Lack]) -> String {
        // All else that differs follows from that.
        if let turned = lacks.first(where: \.isTurned), let fix = turned.fix { return fix }
        guard lacks.count == 1, let fix = lacks[0].fix else { return self.fix }
        return lacks[0].isService ? obstacle ?? (rule.isNarrow ? fix : policy) : fix
    }

    /// What to do where no rule comes near.
    var fix: String { obstacle ?? policy }

    /// Why no rule is to be written; nil where one may be.
    private var obstacle: String? {
        for end in [question.source, question.destination] {
            if let hint = end.hint { return hint }
        }
        if question.isAboutEverything, question.ipProtocol.hasPorts { return "ask about one port" }
        if question.isAboutEverything, question.ipProtocol.isICMP { return "ask about one message" }
        guard question.ipProtocol.hasPorts else { return nil }
        let port = question.wanted.lowerBound
        if port == 0 { return "no rule can name port 0: let the service listen at another" }
        guard port >= PolicySet.firstEphemeralPort else { return nil }
        return "open no ephemeral port such as \(port), since callers are given ports from "
            + "\(PolicySet.firstEphemeralPort) on: let the service listen at a fixed port below"
    }

    /// A policy for the flow, as it would stand in a file.
    private var policy: String {
        "write a policy of its own: from: [\(question.source.peer)], "
            + "to: [\(question.destination.peer)], allow: [\(question.entry)]"
            + (question.source.isHost
                ? "; 'host' is whatever the host sends itself or masquerades"
                : question.destination.isHost ? "; 'host' is every address of this host" : "")
    }
}

extension PolicySet {
    /// From this port on the kernel gives ports to callers (`ip_local_port_range` in
    /// Documentation/networking/ip-sysctl.rst; RFC 6335 has 49152).
    public static let firstEphemeralPort: UInt16 = 32768
}

extension Rule {
    /// Whether both of its sides are one party: what is added to it opens nothing for others.
    fileprivate var isNarrow: Bool {
        from.count == 1 && to.count == 1 && from.allSatisfy(\.isOneParty)
            && to.allSatisfy(\.isOneParty)
    }
}

extension Peer {
    fileprivate var isOneParty: Bool {
        switch self {
        case .endpoints(of: .name, _), .host: true
        case .network(let prefix, _): prefix == Prefix(containing: prefix.address, length: 128)
        case .endpoints(of: .labels, _), .world: false
        }
    }
}

// How a policy file writes the ends and the service of a question.
extension End {
    fileprivate var peer: String {
        if let tenant {
            let pairs = labels.sorted { $0.key < $1.key }
                .map { "\($0.key.yaml): \($0.value.yaml)" }
            let endpoints =
                pairs.isEmpty
                ? "" : ", endpoints: {matchLabels: {\(pairs.joined(separator: ", "))}}"
            return "{tenant: \(tenant.name.yaml)\(endpoints)}"
        }
        if isHost { return "host" }
        guard let address else { return "world" }
        return "{cidr: \(address.description.yaml)}"
    }
}

extension Question {
    fileprivate var isAboutEverything: Bool { wanted == UInt16.min...UInt16.max }

    fileprivate var entry: String {
        let name = "protocol: \(ipProtocol)"
        if ipProtocol.hasPorts { return "{\(name), ports: [\(wanted.lowerBound)]}" }
        guard ipProtocol.isICMP else { return "{\(name)}" }
        let code = message.code.map { ", code: \($0)" } ?? ""
        return "{\(name), types: [{type: \(message.type)\(code)}]}"
    }
}

extension String {
    /// The text as YAML reads it as a text: in quotes unless it is a plain word.
    fileprivate var yaml: String {
        let words: Set<String> = [
            "true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan",
        ]
        let isWord =
            first?.isLetter == true && !words.contains(lowercased())
            && utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0
                    || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
                    || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: "/")
            }
        let isAddress = IPAddress(self)?.family == .v4
        if isWord || isAddress { return self }
        let escaped = replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}
