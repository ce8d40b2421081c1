import Foundation
import Linux
import Testing

@Suite struct PolicyDirectoryTests {
    @Test(
        arguments: [
            ("a.yaml", true), ("a.yml", true), ("a.b.yaml", true), (".yaml", false),
            (".a.yaml", false), ("a.yaml~", false), (".a.yaml.swp", false), ("#a.yaml#", false),
            (".#a.yaml", false), ("4913", false), ("a.yaml.bak", false), ("a.YAML", false),
            ("yaml", false), ("a.json", false),
        ] as [(String, Bool)])
    func `knows policy files by name`(_ name: String, _ expected: Bool) {
        #expect(isPolicyFileName(name) == expected)
    }

    @Test func `reads files everywhere below, through links, and nothing else`() throws {
        let scratch = try Scratch()
        try scratch.makeDirectory("sub/deep")
        try scratch.makeDirectory(".old")
        try scratch.write("1", to: "a.yaml")
        try scratch.write("2", to: "sub/deep/b.yml")
        try scratch.write("3", to: ".old/c.yaml")
        try scratch.write("4", to: "notes.txt")
        try scratch.link("d.yaml", to: ".old/c.yaml")
        let snapshot = PolicyDirectory(scratch.path + "/").snapshot()
        #expect(snapshot.problems.isEmpty)
        #expect(
            snapshot.files.mapValues { String(decoding: $0.bytes, as: UTF8.self) } == [
                scratch.file("a.yaml"): "1", scratch.file("sub/deep/b.yml"): "2",
                scratch.file("d.yaml"): "3",
            ])
    }

    @Test func `names what looks like a policy file and is none`() throws {
        let scratch = try Scratch()
        try scratch.makeDirectory("sub")
        try scratch.makeDirectory("folder.json")
        let ignored = ["a.json", "b.YAML", "c.Yml", "d.yaml.txt", "sub/e.JSON", "f.ymal"]
        let others = [
            "g.yaml~", ".h.json", "#i.json#", "j.yaml.bak", "k.md", "l.yaml", "m.rpmnew", "json",
        ]
        for name in ignored + others { try scratch.write("1", to: name) }
        let snapshot = PolicyDirectory(scratch.path).snapshot()
        #expect(snapshot.ignored == ignored.map(scratch.file).sorted())
        #expect(snapshot.files.keys.sorted() == [scratch.file("l.yaml")])
        #expect(snapshot.problems.isEmpty)
    }

    @Test func `reports what it can't read, and waits for nothing`() throws {
        let scratch = try Scratch()
        try check("mkfifo") { mkfifo(scratch.file("pipe.yaml"), 0o600) }
        try scratch.link("device.yaml", to: "/dev/zero")
        try scratch.link("nowhere.yaml", to: "nothing")
        try scratch.write(String(repeating: "x", count: 101), to: "large.yaml")
        try scratch.write(String(repeating: "x", count: 100), to: "fits.yaml")
        try scratch.makeDirectory("sub")
        try scratch.link("sub/loop", to: "..")
        var limits = PolicyDirectory.Limits()
        limits.bytesPerFile = 100
        let snapshot = PolicyDirectory(scratch.path, limits: limits).snapshot()
        #expect(Array(snapshot.files.keys) == [scratch.file("fits.yaml")])
        #expect(snapshot.problems[scratch.file("pipe.yaml")] == .notAFile)
        #expect(snapshot.problems[scratch.file("device.yaml")] == .notAFile)
        #expect(snapshot.problems[scratch.file("large.yaml")] == .tooLarge(limit: 100))
        #expect(
            snapshot.problems[scratch.file("nowhere.yaml")]
                == .system(SystemError("stat", on: scratch.file("nowhere.yaml"), code: ENOENT)))
        #expect(snapshot.problems.count == 4)
    }

    /// Who may write to a policy decides who may talk to whom.
    @Test func `refuses what others may write to, and what is theirs`() throws {
        let scratch = try Scratch()
        let trusted: [(String, mode_t)] = [("a.yaml", 0o644), ("b.yaml", 0o600), ("c.yaml", 0o444)]
        let open: [(String, mode_t)] = [("d.yaml", 0o664), ("e.yaml", 0o646), ("f.yaml", 0o1666)]
        for (name, mode) in trusted + open {
            try scratch.write("x", to: name)
            try check("chmod") { chmod(scratch.file(name), mode) }
        }
        try scratch.write("x", to: "theirs.yaml")
        try check("chown") { chown(scratch.file("theirs.yaml"), 12_345, 0) }
        for name in ["open", "sticky"] { try scratch.makeDirectory(name) }
        try scratch.write("x", to: "open/g.yaml")
        try check("chmod") { chmod(scratch.file("open"), 0o775) }
        try scratch.write("x", to: "sticky/h.yaml")
        try check("chmod") { chmod(scratch.file("sticky"), 0o1777) }
        let snapshot = PolicyDirectory(scratch.path).snapshot()
        let read = trusted.map(\.0) + ["sticky/h.yaml"]
        #expect(Set(snapshot.files.keys) == Set(read.map(scratch.file)))
        for (name, _) in open { #expect(snapshot.problems[scratch.file(name)] == .openToOthers) }
        #expect(snapshot.problems[scratch.file("open")] == .openToOthers)
        #expect(snapshot.problems[scratch.file("theirs.yaml")] == .foreign(owner: 12_345))
    }

    @Test func `reads a directory once, however many links lead to it`() throws {
        let scratch = try Scratch()
        for name in 0..<12 {
            try scratch.makeDirectory("z\(name)")
            try scratch.write("", to: "z\(name)/p.yaml")
            for other in 0..<12 { try scratch.link("z\(name)/a\(other)", to: "../z\(other)") }
        }
        let snapshot = PolicyDirectory(scratch.path).snapshot()
        #expect(
            snapshot.files.keys.sorted() == (0..<12).map { scratch.file("z\($0)/p.yaml") }.sorted())
        #expect(snapshot.problems.isEmpty)
    }

    @Test func `counts and depths are bounded, and say so`() throws {
        let scratch = try Scratch()
        try scratch.makeDirectory("a/b/c")
        for name in ["1.yaml", "2.yaml", "3.yaml"] { try scratch.write("", to: name) }
        var limits = PolicyDirectory.Limits()
        limits.files = 2
        limits.depth = 2
        let snapshot = PolicyDirectory(scratch.path, limits: limits).snapshot()
        #expect(snapshot.problems[scratch.file("3.yaml")] == .tooManyFiles(limit: 2))
        #expect(snapshot.problems[scratch.file("a/b/c")] == .tooDeep(limit: 2))
    }

    @Test func `an absent directory is a problem, not an empty one`() throws {
        let scratch = try Scratch()
        let path = scratch.file("absent")
        let snapshot = PolicyDirectory(path).snapshot()
        #expect(snapshot.problems[path] == .system(SystemError("stat", on: path, code: ENOENT)))
    }

    @Test func `a second snapshot reads only what has changed`() throws {
        let scratch = try Scratch()
        try scratch.write("1", to: "a.yaml")
        try scratch.write("1", to: "b.yaml")
        let directory = PolicyDirectory(scratch.path)
        let first = directory.snapshot()
        // The same size in the same moment: only a careful reader sees it.
        try scratch.write("2", to: "b.yaml")
        let second = directory.snapshot(after: first)
        #expect(second.files[scratch.file("a.yaml")]?.bytes == Array("1".utf8))
        #expect(second.files[scratch.file("b.yaml")]?.bytes == Array("2".utf8))
        try scratch.remove("a.yaml")
        #expect(Array(directory.snapshot(after: second).files.keys) == [scratch.file("b.yaml")])
    }

    @Test func `refreshes one file in a snapshot`() throws {
        let scratch = try Scratch()
        try scratch.write("1", to: "a.yaml")
        let directory = PolicyDirectory(scratch.path)
        var snapshot = directory.snapshot()
        try scratch.write("22", to: "a.yaml")
        directory.refresh(scratch.file("a.yaml"), in: &snapshot)
        #expect(snapshot.files[scratch.file("a.yaml")]?.bytes == Array("22".utf8))
        try scratch.remove("a.yaml")
        directory.refresh(scratch.file("a.yaml"), in: &snapshot)
        #expect(snapshot == PolicyDirectory.Snapshot())
    }

    @Test func `a snapshot of a thousand unchanged files is cheap`() throws {
        let scratch = try Scratch()
        for number in 0..<1_000 { try scratch.write("kind: Policy", to: "\(number).yaml") }
        usleep(30_000)
        let directory = PolicyDirectory(scratch.path)
        let first = directory.snapshot()
        let start = ContinuousClock.now
        let second = directory.snapshot(after: first)
        print("1,000 unchanged files: \(ContinuousClock.now - start)")
        #expect(second == first)
    }
}
