import Foundation
import Policy
import Testing

@Suite struct SchemaTests {
    private struct Report {
        let status: Int32
        let text: String
    }

    /// Holds the schema against files with the validator that other programs use.
    private func validate(_ files: [URL]) throws -> Report {
        let folder = try TemporaryFolder()
        let schema = folder.url.appending(path: "schema.json")
        try Data(PolicySchema.text.utf8).write(to: schema)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let script = Folders.tests.appending(path: "validate_schema.py")
        process.arguments = ["python3", script.path(), schema.path()] + files.map { $0.path() }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Report(status: process.terminationStatus, text: text)
    }

    @Test func `accepts the examples and every good form`() throws {
        let report = try validate(Folders.goodFiles)
        #expect(report.status == 0, "\(report.text)")
    }

    @Test func `refuses what a schema can see of the bad corpus`() throws {
        let report = try validate(BadPolicy.all)
        #expect(report.status == 0, "\(report.text)")
        #expect(report.text.hasSuffix("\(BadPolicy.all.count) files\n"), "\(report.text)")
    }

    @Test func `takes every word as the reader does`() throws {
        let folder = try TemporaryFolder()
        var files: [URL] = []
        for (index, document) in Self.documents.enumerated() {
            let isRead = try mistakes(in: document).isEmpty
            let file = folder.url.appending(path: "\(index).yaml")
            try Data("# schema: \(isRead ? "accepts" : "refuses")\n\(document)".utf8).write(
                to: file)
            files.append(file)
        }
        let report = try validate(files)
        #expect(report.status == 0, "\(report.text)")
    }

    /// Each word alone in a document that is right otherwise.
    private static let documents: [String] =
        networks.map { tenant("addresses: [\"\($0)\"]") }
        + globs.map { tenant("endpoints: [{namespace: '\($0)'}]") }
        + paths.map { tenant("endpoints: [{path: '\($0)'}]") }
        + names.map { tenant("labels: {'\($0)': a}") }
        + names.map { tenant("labels: {a: '\($0)'}") }
        + names.map { tenant("ports: {'\($0)': 80}") }
        + names.map { tenant("labels: {}", name: "'\($0)'") }
        + ranges.map { tenant("world: {from: [{protocol: tcp, ports: ['\($0)']}]}") }
        + numbers.map { tenant("world: {from: [{protocol: \($0)}]}") }
        + numbers.map { tenant("world: {from: [{protocol: icmp, types: [\($0)]}]}") }
        + numbers.map { tenant("ports: {a: \($0)}") }
        + moments.map {
            "apiVersion: ringfence/v1\nkind: Policy\nname: a\nexpires: \($0)\nfrom: [{tenant: a}]\n"
                + "to: [world]\nallow: [{protocol: any}]\n---\n" + tenant("labels: {}", name: "a")
        }
        + ["tcp", "6", "icmp", "1", "58", "any", "47"].flatMap { number in
            ["ports: [80]", "types: [8]", "types: [packet-too-big]", "types: [redirect]"].map {
                tenant("host: {from: [{protocol: \(number), \($0)}]}")
            }
        }

    private static func tenant(_ body: String, name: String = "shop") -> String {
        "apiVersion: ringfence/v1\nkind: Tenant\nname: \(name)\n\(body)\n"
    }

    private static let networks = [
        "0.0.0.0/0", "255.255.255.255", "256.0.0.0", "10.0.0.0/32", "10.0.0.0/", "10.0.0.0/33",
        "1.2.3", "1.2.3.4.5", "01.2.3.4", "::", "::/0", ":::", "::2", "1::", "1::2", ":1::",
        "1::2:",
        "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "::1.2.3.4", "1::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "12345::", "g::", "FD00::/8",
        "fd00::/128", "fd00::/129", "fd00::/064", "::fffe:0.0.0.0/96", "fe80::1%1", "", "/8", "a",
        "1::2::3", "0:0:0:0:0:0:0:0/0", "::/00", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8",
    ]

    private static let globs = [
        "a", "*", "?", "[a]", "[]a]", "[!a]", "[!]a]", "[]", "[!]", "[", "a[", "a]", "[a-z]*",
        "[[:x:]]",
        "[a[b]", "a/b", "/", ".", "..", "...", ".a", "a b", "", "\\a", "[a\\]", "é-[à-ü]", "[!!]",
        "[!",
        "a[b]c[d]e", "a[b]c[d", "[-]", "[!-]",
    ]

    private static let paths = [
        "/", "/a", "/a/b", "/a/", "//a", "/./a", "/../a", "/a/..", "/a/.", "/...", "/.a", "a/b", "",
        "/a b", "/é", "/a/./b",
    ]

    private static let names = [
        "a", "A", "0", "a-b", "-a", "a-", "a.b", ".a", "a_b", "a/b", "a b", "", "é", "a--b", "0a",
        "00",
        "0-0", "a0-", String(repeating: "a", count: 15), String(repeating: "a", count: 16),
        String(repeating: "a", count: 63), String(repeating: "a", count: 64),
        String(repeating: "a", count: 253), String(repeating: "a", count: 254), "A.b_c/D-e",
    ]

    private static let ranges = [
        "1-2", "0-1", "1-65535", "1-65536", "01-2", "1-", "-1", "1--2", "1-2-3", "9999-10000",
        "59999-60000", "65530-65535", "65529-65539", "1", "a-b-", "80 ",
    ]

    private static let moments = [
        "\"2027-01-31\"", "'2027-12-01T23:59:59Z'", "\"2027-13-01\"", "\"2027-00-01\"",
        "\"2027-01-32\"", "\"2027-01-00\"", "\"2027-1-1\"", "\"2027-01-31T24:00:00Z\"",
        "\"2027-01-31T23:60:00Z\"", "\"2027-01-31T23:00:60Z\"", "\"2027-01-31T23:00Z\"",
        "\"2027-01-31T23:00:00\"", "\"2027-01-31T23:00:00.5Z\"", "\"2027-01-31Z\"",
        "\"2027-01-31T23:00:00z\"", "\"2027-01-31 23:00:00Z\"", "\"2027-01-31T23:00:00+01:00\"",
        "2027-01-31", "\"\"", "never", "12",
    ]

    private static let numbers = [
        "0", "1", "255", "256", "-1", "65535", "65536", "1.5", "true", "null", "[]", "{}", "'1'",
        "tcp",
        "TCP", "echo-request", "redirect",
    ]
}

/// A folder that goes away with its owner.
private final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}
