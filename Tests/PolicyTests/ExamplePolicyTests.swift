import Foundation
import Policy
import Testing

@Suite struct ExamplePolicyTests {
    @Test func `the example policies go together`() throws {
        let files = try Folders.files(in: Folders.examples).map(Folders.policyFile)
        let set = try PolicySet(checking: files)
        #expect(set.tenants.keys.sorted() == ["db", "monitoring", "payments", "shop"])
        #expect(set.files.values.flatMap(\.rules).count > 12)
    }

    @Test(arguments: Folders.files(in: Folders.tests.appending(path: "GoodPolicies")))
    func `unusual forms are fine as well`(_ url: URL) throws {
        _ = try PolicySet(checking: [Folders.policyFile(url)])
    }
}
