import Foundation
import Policy

/// The files that tests read.
enum Folders {
    static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    static let examples = tests.appending(path: "../../policies").standardizedFileURL

    /// The YAML files of a folder and the folders in it, sorted.
    static func files(in folder: URL) -> [URL] {
        let paths = FileManager.default.enumerator(atPath: folder.path())?.compactMap {
            $0 as? String
        }
        return (paths ?? []).filter { $0.hasSuffix(".yaml") }.sorted().map {
            folder.appending(path: $0)
        }
    }

    /// The examples, and the files with every form.
    static let goodFiles = files(in: examples) + files(in: tests.appending(path: "GoodPolicies"))

    static func bytes(_ url: URL) throws -> [UInt8] { Array(try Data(contentsOf: url)) }

    static func policyFile(_ url: URL) throws -> PolicyFile {
        try PolicyFile(parsing: bytes(url), path: url.path())
    }
}

/// Runs a closure that must throw `PolicyErrors` and answers them.
func errors(of body: () throws -> some Any) throws -> [Diagnostic] {
    do {
        _ = try body()
        return []
    } catch let errors as PolicyErrors {
        return errors.diagnostics
    }
}

/// What reading and checking a single text finds wrong.
func mistakes(in text: String) throws -> [Diagnostic] {
    try errors { try PolicySet(checking: [PolicyFile(parsing: text, path: "a.yaml")]) }
}
