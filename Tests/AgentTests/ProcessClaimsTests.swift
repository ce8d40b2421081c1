import Foundation
import Glibc
import Linux
import NetTypes
import Testing

@testable import Agent

/// A claim of a process ends with the process, and a later one of its number is a stranger.
@Suite struct ProcessClaimsTests {
    private func identity(_ start: UInt64, boot: String = "a") -> ProcessClaims.Identity {
        ProcessClaims.Identity(boot: boot, start: start)
    }

    @Test func `means the process that had the number first`() {
        var claims = ProcessClaims()
        // The last 7 is the first one, which can only seem to be back.
        let asked = [(7, 1), (7, 1), (7, 2), (7, 1), (8, 2)] as [(Int32, UInt64)]
        let answers = asked.map { claims.admits($0.0, identity($0.1)) }
        #expect(answers == [true, true, false, false, true])
        #expect(claims.hasEnded(7) && !claims.hasEnded(8))
    }

    @Test func `means a stranger after the next boot`() {
        var claims = ProcessClaims()
        let before = claims.admits(7, identity(1))
        let after = claims.admits(7, identity(1, boot: "b"))
        #expect(before && !after)
    }

    @Test func `is new once it was taken away`() {
        var claims = ProcessClaims()
        _ = claims.admits(7, identity(1))
        claims.end(7)
        claims.keep([7])
        let kept = claims.admits(7, identity(2))
        claims.keep([8])
        let made = claims.admits(7, identity(2))
        #expect(!kept && made)
    }

    @Test func `cannot be trusted where nothing is known of it any more`() {
        var claims = ProcessClaims.lost
        claims.keep([7])
        let old = claims.admits(7, identity(1))
        let new = claims.admits(8, identity(1))
        #expect(!old && new)
    }

    @Test func `is kept, and a changed bit is seen`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = ProcessClaimsFile(directory: folder.path())
        #expect(file.read().claims == ProcessClaims() && file.read().problem == nil)
        var claims = ProcessClaims()
        _ = claims.admits(7, identity(1))
        claims.end(9)
        try file.write(claims)
        #expect(file.read().claims == claims && file.read().problem == nil)
        let path = folder.appending(path: "processes.json")
        let bytes = Array(try Data(contentsOf: path))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            try Data(changed).write(to: path)
            let read = file.read()
            #expect(read.claims == claims || read.claims == .lost, "byte \(index)")
            #expect(read.claims == claims || read.problem != nil)
        }
    }

    /// A process that lives until it is ended.
    private func sleeper() throws -> pid_t {
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("600"), nil]
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawn(&pid, "/bin/sleep", nil, nil, &arguments, nil) == 0)
        return pid
    }

    private func end(_ pid: pid_t) {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    @Test func `a source finds the claimed process, and no other of its number`() throws {
        let pid = try sleeper()
        defer { end(pid) }
        var source = try NamespaceSource(folders: [])
        let found = source.look(paths: [], pids: [pid])
        #expect(found.values.flatMap(\.pids) == [pid])
        let boot = try bootIdentity()
        let start = try ProcessHandle(pid: pid).startTime()
        for other in [identity(start - 1, boot: boot), identity(start, boot: "an earlier one")] {
            var claims = ProcessClaims()
            _ = claims.admits(pid, other)
            var later = try NamespaceSource(folders: [], claims: claims)
            let first = later.look(paths: [], pids: [pid]).count
            // As after a reload that changes nothing, and then after the claim was made again.
            later.keepClaims(of: [pid])
            let second = later.look(paths: [], pids: [pid]).count
            later.keepClaims(of: [])
            let third = later.look(paths: [], pids: [pid]).count
            #expect(first == 0 && second == 0 && third == 1)
        }
    }

    @Test func `a source sees when the process that a link leads to has ended`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pid = try sleeper()
        let link = folder.appending(path: "web").path()
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "/proc/\(pid)/ns/net")
        var source = try NamespaceSource(folders: [folder.path()])
        let direct = "/proc/\(pid)/ns/net"
        let before = source.look(paths: [direct], pids: []).count
        let (links, early) = (Set(source.links.keys), source.linksHaveChanged())
        end(pid)
        let late = source.linksHaveChanged()
        let after = source.look(paths: [direct], pids: []).count
        let (rest, others) = (source.links, source.others)
        #expect(before == 1 && links == [link, direct] && !early)
        #expect(late && after == 0 && rest.isEmpty && others == [link])
    }

    @Test func `a claim has ended when its process has`() throws {
        let pid = try sleeper()
        var source = try NamespaceSource(folders: [])
        let before = source.look(paths: [], pids: [pid]).count
        end(pid)
        let after = source.look(paths: [], pids: [pid]).count
        let hasEnded = source.claims.hasEnded(pid)
        #expect(before == 1 && after == 0 && hasEnded)
    }
}
