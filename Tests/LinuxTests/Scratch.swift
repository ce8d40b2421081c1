import Foundation
import Linux

/// A directory that goes away with the object, mounts in it included.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "ringfence-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)), options: [])
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: file(name), withIntermediateDirectories: true)
    }

    func link(_ name: String, to target: String) throws {
        try check("symlink", on: name) { symlink(target, file(name)) }
    }

    func move(_ old: String, to new: String) throws {
        try check("rename", on: old) { rename(file(old), file(new)) }
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: file(name))
    }

    deinit {
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        for name in names { _ = umount2(file(name), CInt(MNT_DETACH)) }
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Whether the condition comes true before the time is over.
func eventually(
    within seconds: Double = 5, _ condition: () throws -> Bool
) rethrows -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if try condition() { return true }
        usleep(500)
    }
    return try condition()
}

/// Starts a command that the caller has to wait for.
func spawn(_ command: String...) throws -> pid_t {
    var arguments = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    let code = posix_spawn(&pid, command[0], nil, nil, &arguments, nil)
    guard code == 0 else { throw SystemError("posix_spawn", on: command[0], code: code) }
    return pid
}

/// Runs a command to its end and answers whether it succeeded.
func shell(_ command: String) throws -> Bool {
    let pid = try spawn("/bin/sh", "-c", command)
    var status: CInt = -1
    waitpid(pid, &status, 0)
    return status == 0
}
