internal import Glibc
internal import Linux
internal import NetTypes

/// Where namespaces are found: folders of mounts, single paths and processes.
struct NamespaceSource: ~Copyable {
    let folders: NamespaceFolders
    private var processes: [Int32: ProcessBox] = [:]
    /// What was found last, by path and by process.
    private var ofPath: [String: NamespaceID] = [:]
    private var ofProcess: [Int32: NamespaceID] = [:]
    /// What could not be looked at the last time, with the reason.
    private(set) var doubts: [String: SystemError] = [:]
    /// Paths in the folders at which no namespace was mounted the last time.
    private(set) var others: [String] = []
    /// Namespaces that were found through symbolic links, by path.
    ///
    /// The folders and the mount table don't tell when what a link leads to is gone, such as `/proc/PID/ns/net`.
    private(set) var links: [String: NamespaceID] = [:]

    /// Which processes the claimed numbers mean.
    private(set) var claims: ProcessClaims
    private let boot: String

    /// - Parameters:
    ///   - folders: Where namespaces are mounted.
    ///   - claims: What is known of claimed processes.
    /// - Throws: What the kernel answered to the watch of the folders.
    init(folders: [String], claims: ProcessClaims = ProcessClaims()) throws(SystemError) {
        // Nothing may fail once a part of the source is there.
        let boot = try bootIdentity()
        self.folders = try NamespaceFolders(folders)
        self.claims = claims
        self.boot = boot
    }

    /// Takes a claim for a new one.
    mutating func renewClaim(of pid: Int32) { claims.forget(pid) }

    /// Forgets what is known of processes that are claimed no more.
    mutating func keepClaims(of pids: [Int32]) { claims.keep(pids) }

    /// A namespace with its names.
    struct Found {
        let id: NamespaceID
        var paths: [String] = []
        var pids: [Int32] = []
    }

    /// Everything that can be found now, each namespace once.
    ///
    /// What can't be looked at, as when there are no descriptors left, is as it was before: to take it for gone
    /// would cut the flows of all who talk to it.
    mutating func look(paths: [String], pids: [Int32]) -> [NamespaceID: Found] {
        lookAtPaths(paths)
        processes = processes.filter { pids.contains($0.key) }
        ofProcess = Dictionary(
            pids.compactMap { pid in namespace(of: pid).map { (pid, $0) } },
            uniquingKeysWith: { $1 })
        var result: [NamespaceID: Found] = [:]
        for (path, id) in ofPath { result[id, default: Found(id: id)].paths.append(path) }
        for (pid, id) in ofProcess { result[id, default: Found(id: id)].pids.append(pid) }
        return result.mapValues { found in
            var found = found
            found.paths.sort()
            found.pids.sort()
            return found
        }
    }

    /// What was found last of some namespaces.
    func found(_ ids: some Collection<NamespaceID>) -> [Found] {
        let ids = Set(ids)
        var result: [NamespaceID: Found] = [:]
        for (path, id) in ofPath where ids.contains(id) {
            result[id, default: Found(id: id)].paths.append(path)
        }
        for (pid, id) in ofProcess where ids.contains(id) {
            result[id, default: Found(id: id)].pids.append(pid)
        }
        return result.values.sorted { $0.id < $1.id }
    }

    private mutating func lookAtPaths(_ paths: [String]) {
        let look = folders.look()
        (doubts, others) = (look.doubts, look.others)
        var found = Dictionary(look.mounts.map { ($0.path, $0.id) }, uniquingKeysWith: { $1 })
        for path in paths where found[path] == nil && doubts[path] == nil {
            do throws(SystemError) {
                found[path] = try NetworkNamespace(at: path).id
            } catch {
                if !error.saysNothingIsThere { doubts[path] = error }
            }
        }
        for (path, id) in ofPath where found[path] == nil {
            let isDoubtful =
                doubts[path] != nil
                || folders.folders.contains {
                    doubts[$0] != nil && path.hasPrefix($0)
                }
            if isDoubtful { found[path] = id }
        }
        ofPath = found
        links = found.filter { isSymbolicLink($0.key) }
    }

    /// Whether a link doesn't lead any more to where it led when it was looked at.
    func linksHaveChanged() -> Bool {
        links.contains { path, id in
            do throws(SystemError) {
                return try NetworkNamespace(at: path).id != id
            } catch {
                return error.saysNothingIsThere
            }
        }
    }

    /// The descriptors that become readable when one of the processes ends.
    var processDescriptors: [Int32: CInt] {
        processes.mapValues { $0.handle.descriptor.rawValue }
    }

    private mutating func namespace(of pid: Int32) -> NamespaceID? {
        guard !claims.hasEnded(pid) else { return nil }
        do throws(SystemError) {
            let box: ProcessBox
            if let known = processes[pid] { box = known } else { box = try ProcessBox(pid) }
            let id = try box.handle.networkNamespace().id
            guard claims.admits(pid, ProcessClaims.Identity(boot: boot, start: box.start)) else {
                processes[pid] = nil
                return nil
            }
            processes[pid] = box
            return id
        } catch {
            if !error.saysNothingIsThere {
                doubts["process \(pid)"] = error
                return ofProcess[pid]
            }
            claims.end(pid)
            processes[pid] = nil
            return nil
        }
    }
}

/// A handle that a dictionary can hold.
private final class ProcessBox: Sendable {
    let handle: ProcessHandle
    let start: UInt64

    init(_ pid: Int32) throws(SystemError) {
        handle = try ProcessHandle(pid: pid)
        start = try handle.startTime()
    }
}
