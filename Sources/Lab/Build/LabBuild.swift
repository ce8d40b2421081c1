import Glibc
import Linux
import NetTypes

extension Lab {
    /// Builds a lab; if that fails, nothing of it is left.
    ///
    /// The namespaces are mounted in a folder of the lab's own, or in the one that is named, such
    /// as `/run/netns`.
    @discardableResult
    public static func up(
        _ topology: LabTopology, namespaceFolder: String? = nil
    ) throws(LabError) -> Lab {
        let limit = 1_000
        if topology.fabric == .bridged, topology.namespaces.count > limit {
            throw .tooManyForBridge(topology.namespaces.count, limit: limit)
        }
        let lab = Lab(named: topology.name)
        guard try system({ () throws(SystemError) in try lab.folder.create() }) else {
            throw .isUp(lab.name)
        }
        do throws(LabError) {
            try lab.build(topology, in: namespaceFolder ?? lab.namespaceFolder)
        } catch {
            try lab.down()
            throw error
        }
        return lab
    }

    private func build(_ topology: LabTopology, in place: String) throws(LabError) {
        let paths = topology.namespaces.map { "\(place)/\($0.name)" }
        let namespace = try system { () throws(SystemError) in
            _ = mkdir(place, 0o755)
            try folder.write(inventory: paths)
            // One thread that wanders from each new namespace to the next, and ends.
            return try onThreadOfItsOwn { () throws(SystemError) in
                let namespace = try NetworkNamespace.replaceCurrent()
                try namespace.mount(at: folder.fabric)
                var fabric = try Fabric(topology)
                for (path, member) in zip(paths, topology.namespaces) {
                    try fabric.join(member, at: path)
                }
                try fabric.open()
                return namespace
            }
        }
        if !topology.translations.isEmpty {
            try translate(topology.translations, in: namespace)
        }
    }
}
