import Foundation
import Policy
import Testing

/// A file with one mistake; its first line says where it is and what the message says.
struct BadPolicy: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let position: String
    let fragment: String

    init(_ url: URL) throws {
        name = url.lastPathComponent
        bytes = Array(try Data(contentsOf: url))
        let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let parts = line.trimmingPrefix("# expect: ").split(separator: " | ", maxSplits: 1)
        position = String(parts[0])
        fragment = String(parts[1])
    }

    var testDescription: String { name }

    static let all = Folders.files(in: Folders.tests.appending(path: "BadPolicies"))
}

@Suite struct BadPolicyTests {
    @Test func `there are many`() {
        #expect(BadPolicy.all.count >= 120)
    }

    @Test(arguments: BadPolicy.all)
    func `is refused at its mistake`(_ url: URL) throws {
        let bad = try BadPolicy(url)
        let found = try errors {
            try PolicySet(checking: [PolicyFile(parsing: bad.bytes, path: bad.name)])
        }
        #expect(found.count == 1, "\(found)")
        let first = try #require(found.first)
        #expect("\(first.place)" == "\(bad.name):\(bad.position)")
        #expect(first.message.contains(bad.fragment), "\(first)")
        #expect(!first.fix.isEmpty)
    }
}
