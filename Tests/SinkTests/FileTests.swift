import Foundation
import Glibc
import Reports
import Testing

@testable import Sinks

/// A file in a real file system.
@Suite struct FileTests {
    private func lines(_ path: String) throws -> [Substring] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    }

    @Test func `rotation loses no line and cuts none`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/events.jsonl"
            let sinks = try SinkSet([
                SinkOptions(.file(path: path, maxBytes: 10_000, keep: 100), rate: 0)
            ])
            sinks.tell(0..<300)
            sinks.finish(within: .seconds(10))
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(files.count > 5)
            let oldestFirst = (1..<files.count).reversed().map { "\(path).\($0)" } + [path]
            let numbers = try oldestFirst.flatMap { try lines($0) }.map { Samples.number($0) }
            #expect(numbers == (0..<300).map { UInt16($0) })
            for file in oldestFirst {
                let size = try #require(
                    FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
                #expect(size <= 10_000)
            }
            #expect(sinks.status.first?.written == 300)
            #expect(sinks.status.first?.lost == SinkLosses())
        }
    }

    @Test(arguments: [0, 2]) func `no more files are kept than asked for`(_ keep: Int) throws {
        try Samples.withFolder { folder in
            let path = folder + "/events.jsonl"
            let sinks = try SinkSet([
                SinkOptions(.file(path: path, maxBytes: 5_000, keep: keep), rate: 0)
            ])
            sinks.tell(0..<200)
            sinks.finish(within: .seconds(10))
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(files.count == keep + 1)
            #expect(try lines(path).last.flatMap { Samples.number($0) } == 199)
        }
    }

    @Test func `a file that somebody moved is opened anew when asked`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/events.jsonl"
            let sinks = try SinkSet([
                SinkOptions(.file(path: path, maxBytes: 1 << 20, keep: 1))
            ])
            sinks.tell(0..<5)
            #expect(Samples.wait { sinks.status.first?.written == 5 })
            #expect(rename(path, path + ".moved") == 0)
            sinks.tell(5..<7)
            #expect(Samples.wait { sinks.status.first?.written == 7 })
            sinks.reopen()
            sinks.tell(7..<10)
            sinks.finish(within: .seconds(10))
            #expect(try lines(path + ".moved").map { Samples.number($0) } == Array(0..<7))
            #expect(try lines(path).map { Samples.number($0) } == Array(7..<10))
        }
    }

    @Test func `what is no file is not waited for, and said`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/pipe"
            #expect(mkfifo(path, 0o600) == 0)
            let sinks = try SinkSet([SinkOptions(.file(path: path, maxBytes: 1 << 20, keep: 1))])
            sinks.tell(0..<3)
            #expect(Samples.wait { sinks.status.first?.problem?.contains(path) == true })
            // Once the pipe is out of the way everything is written.
            #expect(unlink(path) == 0)
            #expect(Samples.wait { sinks.status.first?.written == 3 })
            #expect(sinks.status.first?.problem == nil)
            sinks.finish()
        }
    }

    @Test func `a generation is written without the digests of all files`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/events.jsonl"
            let sinks = try SinkSet([
                SinkOptions(
                    .file(path: path, maxBytes: 1 << 20, keep: 1), events: [.generation, .drift])
            ])
            sinks.tell(
                .generation(
                    GenerationRecord(
                        number: 3, applied: Samples.moment, changedEndpoints: 1,
                        readMilliseconds: 1, compileMilliseconds: 1, applyMilliseconds: 1,
                        files: ["a.yaml": "digest"],
                        changes: [FileChange(file: "a.yaml", kind: .added)], errors: [])),
                at: Samples.moment)
            // Nobody asked for these.
            sinks.tell(0..<3)
            sinks.finish(within: .seconds(10))
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.split(separator: "\n").count == 1)
            #expect(text.hasPrefix(#"{"at":"2026-01-02T03:04:05.678Z","event":"generation","#))
            #expect(text.contains("a.yaml") && !text.contains("digest"))
        }
    }
}
