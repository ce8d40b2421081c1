import Foundation
import Glibc
import Linux
import NetTypes
import Policy
import Rules
import Testing

@testable import Agent

/// What is kept on a disk is believed as it was written, or not at all.
@Suite struct KeptStateTests {
    /// Every way to change one bit, and every place to cut.
    private static func damages(of bytes: [UInt8]) -> [[UInt8]] {
        let flips = (0..<8 * bytes.count).map { bit in
            var copy = bytes
            copy[bit / 8] ^= 1 << (bit % 8)
            return copy
        }
        return flips + (0..<bytes.count).map { Array(bytes[..<$0]) }
    }

    private static func withFolder(_ work: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "ringfence-kept-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try work(folder)
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    @Test func `a ledger with one changed bit, or cut, is damaged`() throws {
        try Self.withFolder { folder in
            let kept = LedgerFile(directory: folder)
            var ledger = Ledger(since: Timestamp(milliseconds: 0), violations: 1)
            ledger.generation = 1234
            try kept.write(ledger)
            let good = Array(try Data(contentsOf: URL(fileURLWithPath: kept.path)))
            #expect(try kept.read()?.generation == 1234)
            for damaged in Self.damages(of: good) {
                try Self.write(damaged, to: kept.path)
                let read = try? kept.read()
                // What is cut behind the value is whole all the same.
                #expect(read == nil || read?.generation == 1234 && good.starts(with: damaged))
            }
        }
    }

    @Test func `a pipe or a directory in the place of a file is damaged`() throws {
        try Self.withFolder { folder in
            let kept = LedgerFile(directory: folder)
            #expect(try kept.read() == nil)
            try check("mkfifo") { mkfifo(kept.path, 0o600) }
            #expect(throws: SealedFile.Damage.self) { try kept.read() }
            _ = kept.file.setAside("a pipe", "")
            #expect(try kept.read() == nil)
            try check("mkdir") { mkdir(kept.path, 0o700) }
            #expect(throws: SealedFile.Damage.self) { try kept.read() }
        }
    }

    @Test func `announcements with a changed bit are none, and are named`() throws {
        try Self.withFolder { folder in
            let path = folder + "/announced.json"
            var announced = Announcements(directory: folder)
            let place = Announcement.Place.path("/run/netns/a")
            _ = try announced.add(
                Announcement(
                    place: place, id: NamespaceID(device: 4, inode: 9), tenant: "a", labels: [:]))
            let good = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            #expect(Announcements(directory: folder).all == announced.all)
            for damaged in Self.damages(of: good) where !good.starts(with: damaged) {
                try Self.write(damaged, to: path)
                let read = Announcements(directory: folder)
                #expect(read.all.isEmpty && read.damage != nil)
            }
        }
    }

    private static func files(_ folder: String) throws -> (AcceptedFiles, String) {
        try FileManager.default.createDirectory(
            atPath: folder + "/policies", withIntermediateDirectories: true)
        let policies = PolicyDirectory(folder + "/policies")
        return (AcceptedFiles(directory: folder, policies: policies), folder + "/policies/a.yaml")
    }

    @Test func `a kept policy with a changed bit is put aside, and others go on`() throws {
        try Self.withFolder { folder in
            let (files, path) = try Self.files(folder)
            let other = folder + "/policies/b.yaml"
            let good = Array("allow: [5000]\n".utf8)
            let copy = folder + "/in-force" + path
            for damaged in Self.damages(of: good) {
                try files.keep([path: good, other: good])
                #expect(try files.read().files == [path: good, other: good])
                try Self.write(damaged, to: copy)
                let kept = try files.read()
                #expect(kept.files == [other: good])
                #expect(kept.damaged.keys.sorted() == [path])
                #expect(kept.damaged[path]?.place.file == copy)
            }
            try files.keep([path: good, other: nil])
            #expect(try files.read().files == [path: good])
            #expect(try files.read().damaged.isEmpty)
            // A damaged checksum, and a copy that is gone.
            try Self.write(Array("no checksum\n".utf8), to: folder + "/in-force.sha256" + path)
            #expect(try files.read().files.isEmpty)
            #expect(try files.read().damaged.keys.sorted() == [path])
        }
    }

    @Test func `an agent that is killed while it keeps a policy leaves one of both`() throws {
        try Self.withFolder { folder in
            let (files, path) = try Self.files(folder)
            let (first, second) = (Array("first\n".utf8), Array("second\n".utf8))
            try files.keep([path: first])
            try files.keep([path: second])
            // Killed after the checksum was written and before the file was.
            try Self.write(first, to: folder + "/in-force" + path)
            #expect(try files.read().files == [path: first])
            try files.keep([path: first])
            #expect(try files.read().files == [path: first])
        }
    }

    @Test func `what an earlier version kept without checksums gets them`() throws {
        try Self.withFolder { folder in
            let (files, path) = try Self.files(folder)
            let good = Array("good\n".utf8)
            try files.keep([path: good])
            try FileManager.default.removeItem(atPath: folder + "/in-force.sha256")
            #expect(try files.read().files == [path: good])
            try Self.write(Array("goof\n".utf8), to: folder + "/in-force" + path)
            #expect(try files.read().files.isEmpty)
        }
    }
}

/// Final counts that an agent which was killed has written down.
@Suite struct JournalTests {
    private static func entry(_ endpoint: String) -> Carried {
        Carried(
            layer: .nftables, endpoint: EndpointName(tenant: "t", name: endpoint), [:], of: [:],
            refused: [.refused: Count(packets: 7, bytes: 70)])
    }

    private static func names(_ found: Journal.Found) -> [String] {
        found.carried.compactMap { $0.endpoint?.name }
    }

    @Test func `a changed bit costs its line, which is named`() throws {
        try withScratch { folder in
            let path = folder + "/counts.journal"
            let journal = Journal(directory: folder)
            for name in ["a", "b", "c"] { try journal.append(Self.entry(name)) }
            let good = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            #expect(Self.names(Journal(directory: folder).read(after: 0)) == ["a", "b", "c"])
            let second = (good.firstIndex(of: 10) ?? 0) + 1
            let third = good[second...].firstIndex(of: 10) ?? 0
            for index in second..<third {
                for bit in 0..<8 {
                    var damaged = good
                    damaged[index] ^= 1 << bit
                    try Data(damaged).write(to: URL(fileURLWithPath: path))
                    let found = Journal(directory: folder).read(after: 0)
                    #expect(Self.names(found) == ["a", "c"])
                    #expect(found.damage?.place.file == path)
                }
            }
        }
    }

    @Test func `half a line takes no other with it`() throws {
        try withScratch { folder in
            let path = folder + "/counts.journal"
            try Journal(directory: folder).append(Self.entry("a"))
            let good = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            try Data(good + good.dropLast(20)).write(to: URL(fileURLWithPath: path))
            let next = Journal(directory: folder)
            let found = next.read(after: 0)
            #expect(Self.names(found) == ["a"])
            #expect(found.damage == nil)
            try next.append(Self.entry("b"))
            #expect(Self.names(Journal(directory: folder).read(after: 0)) == ["a", "b"])
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func `a full disk is told, and half a line is none`() throws
    {
        try withScratch { folder in
            let disk = folder + "/disk"
            try check("mkdir") { mkdir(disk, 0o700) }
            try check("mount") { mount("tmpfs", disk, "tmpfs", 0, "size=8192") }
            defer { umount2(disk, CInt(MNT_DETACH)) }
            let journal = Journal(directory: disk)
            var written: [String] = []
            let name = String(repeating: "x", count: 900)
            let error = #expect(throws: SystemError.self) {
                for number in 0..<100 {
                    try journal.append(Self.entry("\(number)\(name)"))
                    written.append("\(number)\(name)")
                }
            }
            #expect(error?.code == ENOSPC)
            #expect(!written.isEmpty)
            let found = Journal(directory: disk).read(after: 0)
            #expect(Self.names(found) == written)
            #expect(found.damage == nil)
        }
    }

    private func withScratch(_ work: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "ringfence-kept-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try work(folder)
    }
}
