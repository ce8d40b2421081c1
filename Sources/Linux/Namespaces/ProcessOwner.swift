private import Glibc

/// Whose a process is, looked up while it is still there.
///
/// It is the user at the time of the look: who made a change and then gave up its rights, or ran a program
/// with those of another, is known as the later user.
public struct ProcessOwner: Hashable, Sendable {
    /// Whose rights it has.
    public let user: UInt32
    /// As whom its user had logged in; nil for what nobody's login began.
    public let login: UInt32?

    /// Reads it from `/proc`; nil where the process is gone, or another has its number by now.
    ///
    /// - Parameters:
    ///   - pid: The number of a process or thread, as the first pid namespace counts.
    ///   - name: The name that it has to have; it may change its name, and is unknown then.
    public init?(pid: Int32, name: String) {
        guard Self.seesAll, pid > 0, let status = Self.text("/proc/\(pid)/status") else {
            return nil
        }
        var found: (name: Substring?, user: UInt32?)
        for line in status.split(separator: "\n", maxSplits: 12) {
            if line.hasPrefix("Name:\t") { found.name = line.dropFirst(6) }
            // The real, the effective, the saved one, and that of files.
            if line.hasPrefix("Uid:\t") {
                found.user = line.split(separator: "\t").dropFirst(2).first.flatMap { UInt32($0) }
            }
        }
        guard let user = found.user, found.name == name[...] else { return nil }
        self.user = user
        let login = Self.text("/proc/\(pid)/loginuid").flatMap { UInt32($0) }
        self.login = login == .max ? nil : login
    }

    /// The kernel tells numbers of the first pid namespace; in another one they mean other processes.
    ///
    /// PROC_PID_INIT_INO of linux/proc_ns.h is its inode.
    private static let seesAll: Bool = {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == 0xefff_fffc
    }()

    private static func text(_ path: String) -> String? {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let file = Descriptor(owning: raw)
        let bytes = [UInt8](unsafeUninitializedCapacity: 2048) { buffer, count in
            count = max(read(file.rawValue, buffer.baseAddress, 2048), 0)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
