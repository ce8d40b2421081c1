import Glibc
public import Linux

/// A laboratory that is up, or was left half-built: namespaces joined by a fabric of their own,
/// apart from the machine's network.
public struct Lab: Hashable, Sendable {
    public let name: String

    /// Names a lab, whether it is up or not.
    public init(named name: String) { self.name = name }

    var folder: LabFolder { LabFolder(name: name) }

    /// The mount of the namespace that the host ends of all links live in.
    public var fabricPath: String { folder.fabric }

    /// Where the namespaces are mounted, unless another folder was asked for.
    public var namespaceFolder: String { folder.namespaces }

    /// The mounts of the namespaces, in the order of the file; none when the lab is not up.
    public var namespacePaths: [String] { folder.mounts() }

    /// The mount of one namespace, or of the fabric by `rf-NAME`.
    public func path(of namespace: String) throws(LabError) -> String {
        if fabricPath.hasSuffix("/" + namespace) { return fabricPath }
        if let path = namespacePaths.first(where: { $0.hasSuffix("/" + namespace) }) {
            return path
        }
        throw .unknown(namespace, path: "\(namespaceFolder)/\(namespace)")
    }

    /// Opens one namespace, or the fabric by `rf-NAME`.
    public func namespace(_ name: String) throws(LabError) -> NetworkNamespace {
        let path = try path(of: name)
        return try system { () throws(SystemError) in try NetworkNamespace(at: path) }
    }

    /// Removes everything, also of a lab that was only half built; nothing to remove is fine.
    public func down() throws(LabError) {
        try system { () throws(SystemError) in
            // The fabric goes first: its links go with it, in one go, and not one by one.
            for path in [folder.fabric] + folder.mounts() {
                try NetworkNamespace.unmount(at: path)
            }
            try folder.remove()
        }
    }

    /// The names of the labs that are up, or half-built.
    public static func all() -> [String] {
        guard let directory = opendir(LabFolder.root) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Turns this process into a command that runs inside a namespace of the lab.
    ///
    /// The system calls are `setns` and `execve`.
    public func execute(_ command: [String], in namespace: String) throws(LabError) -> Never {
        let opened = try self.namespace(namespace)
        throw try system { () throws(SystemError) in
            try opened.enter()
            var arguments = command.map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            if let program = arguments.first ?? nil { execvp(program, &arguments) }
            return LabError.system(SystemError("execve", on: command.first, code: errno))
        }
    }
}
