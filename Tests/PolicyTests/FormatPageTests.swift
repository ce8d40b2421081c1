import Foundation
import Policy
import Testing

@Suite struct FormatPageTests {
    private static let page = Folders.tests.appending(path: "../../docs/policy-format.md")

    private static func blocks() throws -> [String] {
        let text = String(decoding: try Folders.bytes(page), as: UTF8.self)
        return text.components(separatedBy: "```yaml\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }

    @Test func `its examples are right`() throws {
        let blocks = try Self.blocks()
        #expect(blocks.count >= 4)
        for block in blocks {
            _ = try PolicySet(checking: [PolicyFile(parsing: block, path: "policy-format.md")])
        }
    }

    @Test func `it lists what the schema can't see`() throws {
        let text = String(decoding: try Folders.bytes(Self.page), as: UTF8.self)
            .replacing("`", with: "'")
        for item in PolicySchema.unspoken {
            #expect(text.contains("- \(item.replacing("`", with: "'"))"))
        }
    }
}
