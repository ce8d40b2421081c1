import Foundation
import Linux
import Testing

@Suite struct DirectoryWatcherTests {
    let scratch: Scratch
    var watcher: Watched

    init() throws {
        scratch = try Scratch()
        try scratch.makeDirectory("p/sub")
        try scratch.write("old", to: "p/a.yaml")
        watcher = try Watched(scratch.file("p"))
    }

    private func path(_ name: String) -> String { scratch.file("p/" + name) }

    @Test func `is quiet when nothing happens, and when others work`() throws {
        try scratch.write("x", to: "p/notes.txt")
        try scratch.write("x", to: "p/.a.yaml.swp")
        try scratch.write("x", to: "elsewhere.yaml")
        try scratch.link("p/.#a.yaml", to: "nobody@host:1")
        #expect(try watcher.drain().isEmpty)
    }

    @Test func `isn't woken by who writes to files beside the directory`() throws {
        let log = try Descriptor(opening: scratch.file("log"), flags: O_WRONLY | O_CREAT)
        #expect(try watcher.drain().isEmpty)
        #expect(write(log.rawValue, "x", 1) == 1)
        #expect(!watcher.isAwake)
        #expect(write(log.rawValue, "x", 1) == 1)
        close(log)
        #expect(!watcher.isAwake)
    }

    @Test func `sees a save in place, and one byte to byte`() throws {
        try scratch.write("new", to: "p/a.yaml")
        #expect(try watcher.drain().files == [path("a.yaml"): .written])
        try scratch.write("new", to: "p/sub/b.yaml")
        #expect(try watcher.drain().files == [path("sub/b.yaml"): .written])
    }

    @Test func `sees a rename over the file`() throws {
        try scratch.write("new", to: "p/.a.tmp")
        #expect(try watcher.drain().isEmpty)
        try scratch.move("p/.a.tmp", to: "p/a.yaml")
        let changes = try watcher.drain()
        #expect(changes.files == [path("a.yaml"): .written])
        #expect(!changes.needsRescan)
    }

    @Test func `a file that is saved a thousand times is one change, and so is what came before`()
        throws
    {
        try scratch.write("first", to: "p/sub/b.yaml")
        for number in 0..<1_000 {
            try scratch.write("\(number)", to: "p/.a.tmp")
            try scratch.move("p/.a.tmp", to: "p/a.yaml")
        }
        try scratch.remove("p/sub/b.yaml")
        let changes = try watcher.drain()
        #expect(changes.files == [path("a.yaml"): .written, path("sub/b.yaml"): .removed])
        #expect(!changes.needsRescan)
        #expect(try watcher.drain().isEmpty)
    }

    @Test func `sees a save as vim does it`() throws {
        try scratch.write("", to: "p/4913")
        try scratch.remove("p/4913")
        try scratch.move("p/a.yaml", to: "p/a.yaml~")
        #expect(try watcher.drain().files == [path("a.yaml"): .removed])
        let descriptor = try Descriptor(opening: path("a.yaml"), flags: O_WRONLY | O_CREAT)
        #expect(try watcher.drain().files == [path("a.yaml"): .unsettled])
        #expect(write(descriptor.rawValue, "new", 3) == 3)
        #expect(try watcher.drain().files == [path("a.yaml"): .unsettled])
        close(descriptor)
        try scratch.remove("p/a.yaml~")
        let changes = try watcher.drain()
        #expect(changes.files == [path("a.yaml"): .written])
        #expect(!changes.needsRescan)
    }

    @Test func `sees what a writer leaves open`() throws {
        let descriptor = try Descriptor(opening: path("a.yaml"), flags: O_WRONLY | O_APPEND)
        #expect(write(descriptor.rawValue, "new", 3) == 3)
        #expect(try watcher.drain().files == [path("a.yaml"): .unsettled])
        close(descriptor)
        #expect(try watcher.drain().files == [path("a.yaml"): .written])
    }

    @Test func `sees a second name, and files that go`() throws {
        try scratch.write("x", to: "whole")
        try check("link") { link(scratch.file("whole"), path("c.yaml")) }
        #expect(try watcher.drain().files == [path("c.yaml"): .written])
        try scratch.remove("p/c.yaml")
        try scratch.move("p/a.yaml", to: "away.yaml")
        #expect(
            try watcher.drain().files == [path("c.yaml"): .removed, path("a.yaml"): .removed])
    }

    @Test func `sees a mounted ConfigMap swap`() throws {
        try scratch.makeDirectory("p/map/..1")
        try scratch.write("1", to: "p/map/..1/m.yaml")
        try scratch.link("p/map/..data", to: "..1")
        try scratch.link("p/map/m.yaml", to: "..data/m.yaml")
        let first = try watcher.settle()
        #expect(first.files[path("map/m.yaml")]?.bytes == Array("1".utf8))
        #expect(first.files.count == 2)

        for number in 2...4 {
            try scratch.makeDirectory("p/map/..\(number)")
            try scratch.write("\(number)", to: "p/map/..\(number)/m.yaml")
            try scratch.link("p/map/..data_tmp", to: "..\(number)")
            try scratch.move("p/map/..data_tmp", to: "p/map/..data")
            try scratch.remove("p/map/..\(number - 1)")
            #expect(try watcher.drain().needsRescan)
            let snapshot = PolicyDirectory(scratch.file("p")).snapshot()
            #expect(snapshot.files[path("map/m.yaml")]?.bytes == Array("\(number)".utf8))
            #expect(snapshot.files.count == 2)
        }
    }

    @Test func `sees changes behind links to files and directories elsewhere`() throws {
        try scratch.makeDirectory("shared/team")
        try scratch.write("1", to: "shared/s.yaml")
        try scratch.write("1", to: "shared/team/t.yaml")
        try scratch.link("p/s.yaml", to: "../shared/s.yaml")
        try scratch.link("p/team", to: "../shared/team")
        #expect(try watcher.drain().needsRescan)
        try scratch.write("2", to: "shared/s.yaml")
        #expect(try watcher.drain().files == [path("s.yaml"): .written])
        try scratch.write("2", to: "shared/team/t.yaml")
        #expect(try watcher.drain().files == [path("team/t.yaml"): .written])
        try scratch.remove("p/team")
        #expect(try watcher.drain().needsRescan)
        try scratch.write("3", to: "shared/team/t.yaml")
        #expect(try watcher.drain().isEmpty)
    }

    @Test func `sees what was written in a new directory before it was watched`() throws {
        try scratch.makeDirectory("p/x/y/z")
        try scratch.write("1", to: "p/x/y/z/n.yaml")
        #expect(try watcher.drain().files == [path("x/y/z/n.yaml"): .unsettled])
        try scratch.write("2", to: "p/x/y/z/n.yaml")
        #expect(try watcher.drain().files == [path("x/y/z/n.yaml"): .written])
        try scratch.move("p/x", to: "x")
        #expect(try watcher.drain().needsRescan)
        try scratch.write("3", to: "x/y/z/n.yaml")
        #expect(try watcher.drain().isEmpty)
        try scratch.move("x", to: "p/w")
        #expect(try watcher.drain().needsRescan)
        try scratch.write("4", to: "p/w/y/z/n.yaml")
        #expect(try watcher.drain().files == [path("w/y/z/n.yaml"): .written])
    }

    @Test func `survives the directory and its parents going and coming back`() throws {
        try scratch.makeDirectory("q/r/p")
        let inner = scratch.file("q/r/p")
        let watched = try Watched(inner)
        try scratch.remove("q/r/p")
        #expect(try watched.drain().needsRescan)
        try scratch.makeDirectory("q/r/p")
        try scratch.write("1", to: "q/r/p/a.yaml")
        let changes = try watched.drain()
        #expect(changes.needsRescan)
        #expect(changes.files == [inner + "/a.yaml": .unsettled])
        try scratch.remove("q")
        #expect(try watched.drain().needsRescan)
        try scratch.makeDirectory("q")
        _ = try watched.drain()
        try scratch.makeDirectory("q/r")
        _ = try watched.drain()
        try scratch.makeDirectory("q/r/p")
        _ = try watched.drain()
        try scratch.write("2", to: "q/r/p/b.yaml")
        #expect(try watched.drain().files == [inner + "/b.yaml": .written])
        try scratch.move("q", to: "away")
        #expect(try watched.drain().needsRescan)
    }

    @Test func `asks for a rescan when events were lost`() throws {
        let text = try String(
            contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
        let limit = try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        let one = try Descriptor(opening: path("x.yaml"), flags: O_WRONLY | O_CREAT)
        let two = try Descriptor(opening: path("y.yaml"), flags: O_WRONLY | O_CREAT)
        // In turns, since the kernel makes one event of two that are alike.
        for _ in 0...limit / 2 {
            _ = write(one.rawValue, "x", 1)
            _ = write(two.rawValue, "x", 1)
        }
        var needsRescan = false
        while true {
            let changes = try watcher.drain()
            needsRescan = needsRescan || changes.needsRescan
            if changes.isEmpty { break }
        }
        #expect(needsRescan)
        try scratch.write("new", to: "p/sub/b.yaml")
        #expect(try watcher.drain().files == [path("sub/b.yaml"): .written])
    }

    @Test func `follows random work like a reader who looks at everything`() throws {
        let chosen = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
        let seed = chosen ?? UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = Seeded(state: seed)
        var snapshot = try watcher.settle()
        for _ in 0..<300 {
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                try randomStep(&random)
            }
            snapshot = try watcher.apply(to: snapshot)
            let whole = PolicyDirectory(scratch.file("p")).snapshot()
            try #require(snapshot.files.mapValues(\.bytes) == whole.files.mapValues(\.bytes))
            try #require(snapshot.problems.keys.sorted() == whole.problems.keys.sorted())
        }
    }

    private func randomStep(_ random: inout Seeded) throws {
        let folders = ["p", "p/sub", "p/d", "p/d/e", "out"]
        let names = ["a.yaml", "b.yaml", "..data", "d", "e", "t.yaml"]
        let place = folders[random.below(folders.count)] + "/" + names[random.below(names.count)]
        let other = folders[random.below(folders.count)] + "/" + names[random.below(names.count)]
        switch random.below(7) {
        case 0, 1: try? scratch.write("\(random.next() % 1000)", to: place)
        case 2: try? scratch.move(place, to: other)
        case 3: try? scratch.remove(place)
        case 4: try? scratch.makeDirectory(place)
        case 5: try? scratch.link(place, to: scratch.file(other))
        default: try? scratch.remove("p/d")
        }
    }
}

/// A watcher in a class, since a test suite is copied.
final class Watched {
    private var watcher: DirectoryWatcher
    private let directory: PolicyDirectory

    init(_ path: String) throws {
        directory = PolicyDirectory(path)
        watcher = try DirectoryWatcher(directory)
    }

    func drain() throws -> DirectoryChanges { try watcher.drain() }

    /// Whether there is anything to drain.
    var isAwake: Bool {
        var state = pollfd(fd: watcher.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&state, 1, 0) == 1
    }

    func settle() throws -> PolicyDirectory.Snapshot {
        while try !drain().isEmpty {}
        return directory.snapshot()
    }

    /// What an agent makes of the changes, with the patience of one who waits until all is settled.
    func apply(to snapshot: PolicyDirectory.Snapshot) throws -> PolicyDirectory.Snapshot {
        let changes = try drain()
        if changes.needsRescan { return directory.snapshot(after: snapshot) }
        var snapshot = snapshot
        for path in changes.files.keys { directory.refresh(path, in: &snapshot) }
        return snapshot
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var number = state
        number = (number ^ (number >> 30)) &* 0xbf58_476d_1ce4_e5b9
        number = (number ^ (number >> 27)) &* 0x94d0_49bb_1331_11eb
        return number ^ (number >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

func close(_ descriptor: consuming Descriptor) {}
