internal import Glibc
internal import Linux
internal import NetTypes

/// Where namespaces are found: folders of mounts, single paths and processes.
struct NamespaceSource: ~Copyable {
    let folders: NamespaceFolders
    private var processes: [Int32: ProcessBox] = [:]

    init(folders: [String]) throws(SystemError) { self.folders = try NamespaceFolders(folders) }

    /// A namespace with its names.
    struct Found {
        let id: NamespaceID
        var paths: [String] = []
        var pids: [Int32] = []
    }

    /// Everything that can be found now, each namespace once.
    mutating func look(paths: [String], pids: [Int32]) -> [NamespaceID: Found] {
        var result: [NamespaceID: Found] = [:]
        for mount in folders.mounts() {
            result[mount.id, default: Found(id: mount.id)].paths.append(mount.path)
        }
        let listed = Set(result.values.flatMap(\.paths))
        for path in paths where !listed.contains(path) {
            guard let id = try? NetworkNamespace(at: path).id else { continue }
            result[id, default: Found(id: id)].paths.append(path)
        }
        processes = processes.filter { pids.contains($0.key) }
        for pid in pids {
            guard let id = namespace(of: pid) else { continue }
            result[id, default: Found(id: id)].pids.append(pid)
        }
        return result.mapValues { found in
            var found = found
            found.paths.sort()
            found.pids.sort()
            return found
        }
    }

    /// The descriptors that become readable when one of the processes ends.
    var processDescriptors: [Int32: CInt] {
        processes.mapValues { $0.handle.descriptor.rawValue }
    }

    private mutating func namespace(of pid: Int32) -> NamespaceID? {
        do {
            let box = try processes[pid] ?? ProcessBox(pid)
            processes[pid] = box
            return try box.handle.networkNamespace().id
        } catch {
            processes[pid] = nil
            return nil
        }
    }
}

/// A handle that a dictionary can hold.
private final class ProcessBox: Sendable {
    let handle: ProcessHandle

    init(_ pid: Int32) throws(SystemError) { handle = try ProcessHandle(pid: pid) }
}
