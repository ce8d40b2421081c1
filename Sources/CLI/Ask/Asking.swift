internal import API
internal import ArgumentParser
internal import Foundation
internal import NetTypes
internal import Policy
internal import Reports

/// How the agent is reached.
struct SocketOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The agent's Unix socket; RINGFENCE_SOCKET names another default.", valueName: "path"))
    var socket = Self.usual

    /// What the agent's own variable says, or where an agent listens without one.
    private static var usual: String {
        let named = ProcessInfo.processInfo.environment["RINGFENCE_SOCKET"] ?? ""
        return named.isEmpty ? "/run/ringfence/agent.sock" : named
    }

    var client: APIClient { APIClient(socketPath: socket) }
}

/// Waits for the agent's answer; an error is printed as it is, and exits with 1.
func answer<Report>(_ question: () async throws -> Report) async throws -> Report {
    do {
        return try await question()
    } catch let error as APIClientError {
        complain("\(error)")
        throw ExitCode(1)
    }
}

extension APIClient {
    /// Refuses a tenant that nobody knows, where it brought no answer: it may be a slip of the pen.
    func check(tenant: String?) async throws {
        guard let tenant else { return }
        let known = try await tenants().tenants.map(\.name)
        guard !known.contains(tenant) else { return }
        let nearest = known.nearest(to: tenant).map { "write '\($0)', or " } ?? ""
        complain(
            "no tenant is called '\(tenant)'\n  fix: \(nearest)see the names in 'ringfence status'")
        throw ExitCode(2)
    }

    /// The same for the tenants among parties.
    func check(parties: PartyName?...) async throws {
        for party in parties where party?.kind == .tenant { try await check(tenant: party?.name) }
    }
}

/// How arguments are read.
enum Reading {
    /// One of some words; a slip of the pen gets the nearest.
    static func word<Value: RawRepresentable & CaseIterable>(
        _ text: String, _ kind: String, of type: Value.Type
    ) throws -> Value where Value.RawValue == String {
        if let value = Value(rawValue: text) { return value }
        let words = Value.allCases.map(\.rawValue)
        let nearest = words.nearest(to: text).map { "; did you mean '\($0)'?" } ?? ""
        throw ValidationError(
            "'\(text)' is no \(kind)\(nearest)\n  fix: use one of \(words.joined(separator: ", "))")
    }

    static func reason(_ text: String) throws -> RefusalReason {
        try word(text, "reason", of: RefusalReason.self)
    }

    static func moment(_ text: String) throws -> Timestamp {
        guard let moment = Timestamp(text, now: AgentCommand.now()) else {
            throw ValidationError(
                "'\(text)' is no time\n  fix: write a moment in UTC such as "
                    + "2026-01-31T09:00:00, or how long ago it was: 45s, 10m, 2h, 1d, 1w")
        }
        return moment
    }

    /// As `explain` takes parties: host, world and addresses by themselves, else a tenant.
    static func party(_ text: String) throws -> PartyName {
        switch text {
        case "host": return .host
        case "world": return .world
        default: break
        }
        if let address = IPAddress(text) { return .address(address) }
        guard let party = PartyName(parsing: text) else {
            throw ValidationError(
                "'\(text)' is nobody\n  fix: write a tenant's name, host, world or an address")
        }
        return party
    }

    static func limit(_ text: String) throws -> Int {
        guard let limit = Int(text), (1...10_000).contains(limit) else {
            throw ValidationError("'\(text)' is no limit\n  fix: write a number from 1 to 10000")
        }
        return limit
    }
}
