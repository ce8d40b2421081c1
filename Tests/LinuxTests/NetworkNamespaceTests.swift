import Foundation
import Linux
import Testing

@Suite struct NetworkNamespaceTests {
    @Test func `refuses what is no network namespace`() throws {
        let scratch = try Scratch()
        try scratch.write("", to: "file")
        try check("mkfifo") { mkfifo(scratch.file("pipe"), 0o600) }
        for path in [scratch.file("file"), scratch.file("pipe"), "/proc/self/ns/mnt", "/dev/null"] {
            do {
                _ = try NetworkNamespace(at: path)
                Issue.record("\(path) was opened")
            } catch {
                #expect(error.code == EINVAL)
            }
        }
    }

    @Test func `opens by path, link, process and thread`() throws {
        let scratch = try Scratch()
        let current = try NetworkNamespace.current()
        #expect(try NetworkNamespace(pid: getpid()).id == current.id)
        let other = try NetworkNamespace.temporary()
        #expect(other.id != current.id)
        try other.mount(at: scratch.file("other"))
        try scratch.link("link", to: "other")
        #expect(try NetworkNamespace(at: scratch.file("link")).id == other.id)
        try NetworkNamespace.unmount(at: scratch.file("other"))
        try NetworkNamespace.unmount(at: scratch.file("other"))
        #expect(access(scratch.file("other"), F_OK) == -1)
    }

    @Test func `works inside and comes back, also from an error`() throws {
        let before = try NetworkNamespace.current().id
        let other = try NetworkNamespace.temporary()
        let inside = try other.run { () throws(SystemError) in try NetworkNamespace.current().id }
        #expect(inside == other.id)
        do {
            try other.run { () throws(SystemError) in
                throw SystemError("test", code: ENOTTY)
            }
            Issue.record("the error was swallowed")
        } catch {
            #expect(error.code == ENOTTY)
        }
        #expect(try NetworkNamespace.current().id == before)
    }

    @Test func `a thousand visits are cheap`() throws {
        let other = try NetworkNamespace.temporary()
        let start = ContinuousClock.now
        for _ in 0..<1_000 { try other.run { () throws(SystemError) in } }
        let time = ContinuousClock.now - start
        print("1,000 visits: \(time)")
        #expect(time < .milliseconds(500))
    }

    @Test func `a process handle tells the end and never another process's namespace`() throws {
        let pid = try spawn("/bin/sleep", "60")
        let handle = try ProcessHandle(pid: pid)
        #expect(try !handle.hasEnded())
        #expect(try handle.networkNamespace().id == NetworkNamespace.current().id)
        kill(pid, SIGKILL)
        #expect(waitpid(pid, nil, 0) == pid)
        #expect(try handle.hasEnded())
        do {
            _ = try handle.networkNamespace()
            Issue.record("a dead process has a namespace")
        } catch {
            #expect(error.code == ESRCH || error.code == ENOENT)
        }
    }

    @Test func `folders show namespaces when they are mounted and when they go`() throws {
        let scratch = try Scratch()
        let poller = try Poller()
        let folder = scratch.file("netns")
        let folders = try NamespaceFolders([folder, scratch.path])
        try poller.add(folders.namesDescriptor, token: 1)
        try poller.add(folders.mountsDescriptor, token: 2, for: .priority)
        try scratch.write("", to: "nothing")
        #expect(try poller.wait(milliseconds: 1_000).contains(1))
        try folders.drain()
        #expect(folders.mounts().isEmpty)
        #expect(folders.look().others == [scratch.file("nothing")])

        try scratch.makeDirectory("netns")
        try folders.drain()
        let other = try NetworkNamespace.temporary()
        _ = try poller.wait(milliseconds: 0)
        try other.mount(at: folder + "/a")
        var tokens: Set<UInt64> = []
        #expect(
            try eventually {
                tokens.formUnion(try poller.wait(milliseconds: 100))
                return tokens == [1, 2]
            })
        try folders.drain()
        #expect(folders.mounts() == [NamespaceMount(path: folder + "/a", id: other.id)])

        try NetworkNamespace.unmount(at: folder + "/a")
        #expect(try !poller.wait(milliseconds: 1_000).isEmpty)
        #expect(folders.mounts().isEmpty)
    }

    @Test func `a wakeup ends a wait`() throws {
        let poller = try Poller()
        let wakeup = try Wakeup()
        try poller.add(wakeup.descriptor.rawValue, token: 7)
        #expect(try poller.wait(milliseconds: 0).isEmpty)
        wakeup.signal()
        wakeup.signal()
        #expect(try poller.wait(milliseconds: 1_000) == [7])
        wakeup.clear()
        #expect(try poller.wait(milliseconds: 0).isEmpty)
    }
}
