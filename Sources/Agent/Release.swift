internal import Linux
public import NetTypes
internal import Nftables
internal import Rules

/// A namespace that has our table, and whom its removal would set free.
public struct Enforcement: Sendable {
    public let id: NamespaceID
    /// The path or the process by which the namespace was found.
    public let name: String
    private let tenure: Tenure
    /// Whether a running agent owns the table.
    public let isOwned: Bool

    /// Every namespace with our table in the folders, at the paths and of the processes.
    public static func all(
        folders: [String], paths: [String] = [], pids: [Int32]
    ) throws -> [Enforcement] {
        var source = try NamespaceSource(folders: folders)
        let found = source.look(paths: paths, pids: pids).values.sorted { $0.id < $1.id }
        return found.compactMap { try? Enforcement($0) }
    }

    private init?(_ found: NamespaceSource.Found) throws {
        let path = found.paths.first
        let namespace =
            if let path {
                try NetworkNamespace(at: path)
            } else {
                try NetworkNamespace(pid: found.pids.first ?? 0)
            }
        tenure = try Tenure(entering: namespace, slot: 0)
        guard let reading = try tenure.table.read() else { return nil }
        id = found.id
        name = path ?? "pid \(found.pids.first ?? 0)"
        isOwned = reading.owner != nil
    }

    /// Removes the table: everything passes from then on.
    public func release() throws { try tenure.table.remove() }
}
