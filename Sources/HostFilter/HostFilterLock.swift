internal import CBPF
internal import Glibc
internal import Linux

/// The right to write to the host filter of a host namespace: one process has it at a time.
///
/// The kernel takes it from a process that ends, however it ends. It is bound to two things:
///
/// - to the folder of the pinned maps, by flock(2): nobody else writes to these maps;
/// - to the host namespace, by the name of an abstract Unix socket in it (unix(7)): nobody else
///   guards the same veths by maps in another BPF file system. Any user can bind such a name, so
///   it counts only where the process that has it is root's.
public final class HostFilterLock: Sendable {
    /// Another process has the right.
    public struct Held: Error, Hashable, Sendable, CustomStringConvertible {
        /// Which process; nil where the kernel doesn't tell.
        public let pid: Int32?
        /// What it holds.
        public let subject: String

        public var description: String {
            """
            another agent (\(pid.map { "pid \($0)" } ?? "of unknown pid")) keeps the host filter: it \
            holds \(subject)
              fix: end that agent, or start this one for another host namespace
            """
        }
    }

    /// What became of an attempt to take the right.
    public enum Outcome: Sendable {
        case taken(HostFilterLock)
        case held(Held)
    }

    private let folder: Descriptor
    private let name: Descriptor?

    private init(_ folder: consuming Descriptor, _ name: CInt?) {
        self.folder = folder
        self.name = name.map { Descriptor(owning: $0) }
    }

    /// Takes the right, or says who has it.
    ///
    /// The right goes with the value. The calling thread has to be in the host namespace.
    ///
    /// - Parameters:
    ///   - root: Where the BPF file system is, or is to be mounted.
    ///   - host: The inode of the host namespace.
    /// - Returns: The right, or which process has it.
    /// - Throws: What the kernel refused.
    public static func take(root: String, host: UInt64) throws(BPFError) -> Outcome {
        let path = "\(root)/ringfence/\(host)"
        try Pinned.prepare(root: root, folder: path)
        let folder = try open(path)
        // A release may take the folder away between the two calls: then this is none any more.
        guard try lock(folder), isSame(folder, path) else {
            return .held(Held(pid: holder(of: folder), subject: path))
        }
        switch try AbstractName.claim(Self.name) {
        case .taken(let descriptor): return .taken(HostFilterLock(folder, descriptor))
        case .squatted: return .taken(HostFilterLock(folder, nil))
        case .others(let pid):
            return .held(Held(pid: pid, subject: "the abstract Unix socket @\(Self.name)"))
        }
    }

    private static let name = "ringfence-host-filter"

    private static func open(_ path: String) throws(BPFError) -> Descriptor {
        let raw = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if raw < 0 { throw BPFError("open \(path)", code: errno) }
        return Descriptor(owning: raw)
    }

    private static func lock(_ folder: borrowing Descriptor) throws(BPFError) -> Bool {
        if flock(folder.rawValue, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw BPFError("lock the folder of the host filter's maps", code: errno)
    }

    private static func isSame(_ folder: borrowing Descriptor, _ path: String) -> Bool {
        var (held, found) = (Glibc.stat(), Glibc.stat())
        return fstat(folder.rawValue, &held) == 0 && stat(path, &found) == 0
            && held.st_ino == found.st_ino && held.st_dev == found.st_dev
    }

    /// Who holds the lock: proc_locks(5).
    private static func holder(of folder: borrowing Descriptor) -> Int32? {
        var status = Glibc.stat()
        guard fstat(folder.rawValue, &status) == 0 else { return nil }
        for line in ProcessFiles.lines(of: "/proc/locks") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK",
                fields[5].hasSuffix(":\(status.st_ino)"),
                isDevice(fields[5], status.st_dev)
            else { continue }
            return Int32(fields[4]).flatMap { $0 > 0 ? $0 : nil }
        }
        return nil
    }

    /// Whether `MAJOR:MINOR:INODE`, the first two in hexadecimal, is of a device.
    private static func isDevice(_ field: Substring, _ device: dev_t) -> Bool {
        let parts = field.split(separator: ":").prefix(2).map { UInt64($0, radix: 16) }
        let number = UInt64(device)
        // gnu_dev_major and gnu_dev_minor of sys/sysmacros.h, which are no functions for Swift.
        let major = number >> 8 & 0xfff | number >> 32 & 0xffff_f000
        let minor = number & 0xff | number >> 12 & 0xffff_ff00
        return parts == [major, minor]
    }
}
