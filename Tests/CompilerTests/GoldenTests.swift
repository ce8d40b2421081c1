import Compiler
import Foundation
import Policy
import Rules
import TestSupport
import Testing

/// One folder a feature: policies, a topology, and the state of every endpoint.
@Suite struct GoldenTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden")

    static let features =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? [])
        .filter { !$0.hasPrefix(".") }.sorted()

    @Test(arguments: features) func `compiles to what is kept`(_ feature: String) throws {
        let folder = Self.folder.appending(path: feature)
        func text(_ name: String) throws -> String {
            try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        }
        let file = try PolicyFile(parsing: try text("policies.yaml"), path: "policies.yaml")
        let policies = try PolicySet(checking: [file])
        let topology = PlainWorld(parsing: try text("topology.txt")).topology(of: policies)
        let compilation = Compilation(of: policies, for: topology)
        #expect(compilation.errors.isEmpty)
        for endpoint in topology.endpoints {
            let state = try #require(compilation.states[endpoint.id])
            let golden = Golden(folder.appending(path: "\(endpoint.name).txt"))
            #expect(try golden.difference(from: state.listing) == nil)
        }
    }

    @Test func `there is a folder for every feature`() {
        #expect(Self.features.count >= 12)
    }
}
