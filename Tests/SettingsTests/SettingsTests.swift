import API
import Agent
import Foundation
import Glibc
import Logging
import Reports
import Sinks
import Testing

@testable import Settings

/// Who has the last word, and what is refused.
@Suite struct SettingsTests {
    private func withFile(
        _ text: String, _ mode: mode_t = 0o600, _ work: (String) throws -> Void
    ) throws {
        let path = NSTemporaryDirectory() + "ringfence-\(UInt32.random(in: 0 ... .max)).yaml"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, mode)
        defer { unlink(path) }
        try work(path)
    }

    private func sources(
        _ flags: [String: [String]] = [:], _ environment: [String: String] = [:],
        file: String? = nil
    ) throws -> SettingsSources {
        if let file {
            return try SettingsSources(flags: flags, environment: environment, file: file)
        }
        var found: SettingsSources?
        try withFile("# Nothing.\n") { path in
            found = try SettingsSources(flags: flags, environment: environment, file: path)
        }
        return try #require(found)
    }

    @Test func `options before variables before the file before what is usual`() throws {
        try withFile("# The agent.\npolicies: /from/file\nstate: /from/file\nsocket: /from/file\n")
        { path in
            let found = try sources(
                ["policies": ["/from/option"]],
                ["RINGFENCE_POLICIES": "/from/variable", "RINGFENCE_STATE": "/from/variable"],
                file: path)
            #expect(
                try found.resolve(.policies)
                    == Resolved(
                        key: .policies, value: .text("/from/option"), place: "option --policies"))
            #expect(
                try found.resolve(.state)
                    == Resolved(
                        key: .state, value: .text("/from/variable"),
                        place: "variable RINGFENCE_STATE"))
            #expect(
                try found.resolve(.socket)
                    == Resolved(
                        key: .socket, value: .text("/from/file"), place: "\(path):4:1"))
            #expect(
                try found.resolve(.hostFilter)
                    == Resolved(key: .hostFilter, value: .text("off"), place: "default"))
            #expect(
                try found.resolve(.listen)
                    == Resolved(key: .listen, value: nil, place: "default"))
            let report = try found.report()
            #expect(report.values.count == SettingKey.all.count)
            #expect(
                report.values.contains(
                    .init(
                        key: "state", value: "/from/variable",
                        source: "variable RINGFENCE_STATE")))
            #expect(report.text(width: nil).hasPrefix("configuration:\nKEY "))
        }
    }

    @Test func `without anything an agent is as it always was`() throws {
        let settings = try AgentSettings(try sources())
        #expect(settings.configuration.policies == "/etc/ringfence/policies")
        #expect(settings.configuration.namespaceFolders == ["/run/netns"])
        #expect(settings.configuration.stateDirectory == "/var/lib/ringfence")
        #expect(settings.configuration.hostNamespace == nil)
        #expect(settings.configuration.hostFilter == .off)
        #expect(settings.configuration.identityMask == 0xffff_0000)
        #expect(settings.socket == "/run/ringfence/agent.sock")
        #expect(settings.listen == nil)
        #expect(settings.logLevel == .info)
        #expect(settings.sinks.isEmpty)
    }

    @Test func `everything can be said in a file, as YAML or as JSON`() throws {
        for text in [
            """
            namespaces: [/run/netns, /run/docker/netns]
            pids: [12]
            hostFilter: only
            identityMask: 0xff000000
            listen: 127.0.0.1:9464
            logLevel: debug
            sinks:
              stdout: {enabled: true, events: [violation]}
              file: {path: /var/log/ringfence/events.jsonl, maxBytes: 1MiB, keep: 3, rate: 0}
              syslog:
                address: udp:logs.example:514
                facility: local3
                queue: 10
            """,
            """
            {"namespaces": ["/run/netns", "/run/docker/netns"], "pids": [12],
             "hostFilter": "only", "identityMask": "0xff000000", "listen": "127.0.0.1:9464",
             "logLevel": "debug", "sinks": {"stdout": {"enabled": true, "events": ["violation"]},
             "file": {"path": "/var/log/ringfence/events.jsonl", "maxBytes": "1MiB", "keep": 3,
             "rate": 0}, "syslog": {"address": "udp:logs.example:514", "facility": "local3",
             "queue": 10}}}
            """,
        ] {
            try withFile(text) { path in
                let settings = try AgentSettings(try sources(file: path))
                #expect(
                    settings.configuration.namespaceFolders == ["/run/netns", "/run/docker/netns"])
                #expect(settings.configuration.pids == [12])
                #expect(settings.configuration.hostFilter == .only)
                #expect(settings.configuration.identityMask == 0xff00_0000)
                #expect(settings.listen?.description == "127.0.0.1:9464")
                #expect(settings.logLevel == .debug)
                #expect(
                    settings.sinks == [
                        SinkOptions(.standardOutput, events: [.violation]),
                        SinkOptions(
                            .file(
                                path: "/var/log/ringfence/events.jsonl", maxBytes: 1 << 20, keep: 3),
                            rate: 0),
                        SinkOptions(
                            .syslog(
                                .udp(host: "logs.example", port: 514), facility: .local3),
                            queue: 10),
                    ])
            }
        }
    }

    @Test func `variables of every key`() throws {
        #expect(SettingKey.fileMaxBytes.variable == "RINGFENCE_SINKS_FILE_MAX_BYTES")
        for key in SettingKey.all {
            let found = try sources([:], [key.variable: "a, b"]).resolve(key)
            #expect(found.place == "variable \(key.variable)")
            #expect(found.value == (key.form == .list ? .list(["a", "b"]) : .text("a, b")))
        }
    }

    @Test(
        arguments: [
            ("polices: /a", ":1:1: there is no key 'polices'\n  fix: write 'policies'"),
            (
                "state: /a\nsinks:\n  file:\n    pth: /a",
                ":4:5: there is no key 'sinks.file.pth'\n  fix: write 'path'"
            ),
            ("sinks:\n  kafka: {}", ":2:3: there is no key 'sinks.kafka'\n  fix: write one of"),
            ("state: [/a]", ":1:1: 'state' is one value\n  fix: write state: a"),
            (
                "namespaces: /run/netns",
                ":1:1: 'namespaces' is a list\n  fix: write namespaces: [a, b]"
            ),
            ("sinks: yes", ":1:1: 'sinks' is no value"),
            ("state: {path: /a}", ":1:1: 'state' has no keys of its own"),
            ("- a", ":1:1: the file is no mapping"),
            ("hostFilter: offf", ":1:1: 'offf' is not known here\n  fix: write 'off'"),
            ("listen: 0.0.0.0:80", ":1:1: listen: '0.0.0.0:80' is no port of the loopback"),
            ("identityMask: 0xf0f0", "is no mask"),
            ("pids: [init]", ":1:1: 'init' is no process"),
            ("sinks: {file: {path: /a, keep: many}}", "sinks.file.keep: 'many' is out of range"),
            ("sinks: {file: {path: /a, maxBytes: 12}}", "'12' is no size of a file"),
            ("sinks: {syslog: {address: /dev/log}}", "'/dev/log' is no syslog server"),
            (
                "sinks: {file: {path: /a, events: [violations]}}",
                "'violations' is not known here\n  fix: write 'violation'"
            ),
            ("sinks: {stdout: {enabled: maybe}}", "'maybe' is neither true nor false"),
        ]
    )
    func `says what is wrong, where, and what to write`(_ text: String, _ words: String) throws {
        try withFile(text) { path in
            let error = #expect(throws: SettingsError.self) {
                _ = try AgentSettings(try sources(file: path))
            }
            let said = try #require(error).description
            #expect(said.hasPrefix(path))
            #expect(said.contains(words), "\(said)")
        }
    }

    @Test func `who says a wrong value is named, be it a variable or an option`() throws {
        let variable = #expect(throws: SettingsError.self) {
            _ = try AgentSettings(try sources([:], ["RINGFENCE_LOG_LEVEL": "loud"]))
        }
        #expect(variable?.place == "variable RINGFENCE_LOG_LEVEL")
        let option = #expect(throws: SettingsError.self) {
            _ = try AgentSettings(try sources(["host-filter": ["yes"]]))
        }
        #expect(option?.place == "option --host-filter")
    }

    @Test func `a variable that is nobody's is a warning with the nearest one`() throws {
        let found = try sources([:], ["RINGFENCE_POLICES": "/a", "RINGFENCE_OPTIONS": ""])
        #expect(
            found.warnings == [
                "the variable RINGFENCE_POLICES is none of the agent's: is RINGFENCE_POLICIES meant?"
            ])
    }

    @Test func `a file that others may write to is not believed`() throws {
        try withFile("state: /a", 0o622) { path in
            let error = #expect(throws: SettingsError.self) { _ = try sources(file: path) }
            #expect(error?.fix == "chmod go-w \(path)")
        }
    }

    @Test func `a file that is named has to be there, and the usual one has not`() throws {
        let error = #expect(throws: SettingsError.self) {
            _ = try sources(file: "/nowhere/agent.yaml")
        }
        #expect(error?.message == "there is no such file")
        let variable = #expect(throws: SettingsError.self) {
            _ = try SettingsSources(
                flags: [:], environment: ["RINGFENCE_CONFIG": "/nowhere/agent.yaml"])
        }
        #expect(variable?.place == "/nowhere/agent.yaml")
        if access(SettingsSources.standardFile, F_OK) != 0 {
            _ = try SettingsSources(flags: [:], environment: [:])
        }
    }
}
