import Foundation
import Linux
import NetTypes
import Reports
import Synchronization

@testable import Store

/// A directory that goes away with the object, mounts in it included.
final class Scratch: Sendable {
    let path: String
    let clock = TestClock()
    let log = TestLog()

    init() throws {
        path = NSTemporaryDirectory() + "ringfence-history-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    var file: String { path + "/history.sqlite" }

    /// The store of the directory; tests that wait for a lock wait a shorter time.
    func store(_ change: (inout StoreOptions) -> Void = { _ in }) -> Store {
        var options = StoreOptions(directory: path)
        options.patience = .milliseconds(50)
        change(&options)
        return Store(options, clock: { [clock] in clock.now }, log: { [log] in log.append($0) })
    }

    var archive: HistoryArchive { HistoryArchive(directory: path) }

    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    func bytes(_ name: String = "history.sqlite") throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path + "/" + name))
    }

    /// Puts a file system with so much room over the directory.
    func mount(size: String) throws { try run("mount -t tmpfs -o size=\(size) tmpfs '\(path)'") }

    func remount(_ options: String) throws { try run("mount -o remount,\(options) '\(path)'") }

    func run(_ command: String) throws {
        let child = try Child("/bin/sh", "-c", command)
        guard try child.end() == 0 else { throw CommandFailed(command: command) }
    }

    deinit {
        _ = umount2(path, CInt(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: path)
    }
}

struct CommandFailed: Error { let command: String }

/// A clock that moves when it is told to.
final class TestClock: Sendable {
    private let moment = Mutex(Timestamp(milliseconds: 1_767_323_045_678))

    var now: Timestamp { moment.withLock { $0 } }

    func advance(by duration: Duration) {
        moment.withLock {
            $0 = Timestamp(
                milliseconds: $0.milliseconds + duration.components.seconds * 1000)
        }
    }
}

/// What the store said.
final class TestLog: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    func append(_ line: String) { kept.withLock { $0.append(line) } }
}

/// A process that the test ends.
final class Child: @unchecked Sendable {
    let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ command: String...) throws {
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Waits for the child's next words.
    func read() -> String {
        String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    }

    /// Closes its input, waits for its end and gives its exit code.
    @discardableResult
    func end() throws -> Int32 {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        return process.terminationStatus
    }

    func kill() {
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Another process that holds a lock on a history until its input is closed.
    static func locking(_ path: String) throws -> Child {
        let child = try Child(
            "/usr/bin/env", "python3", "-c",
            """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1], isolation_level=None)
            c.execute('PRAGMA locking_mode = EXCLUSIVE')
            c.execute('BEGIN EXCLUSIVE')
            print('locked', flush=True)
            sys.stdin.read()
            c.execute('ROLLBACK')
            """, path)
        _ = child.read()
        return child
    }
}
