internal import Glibc
public import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Synchronization

/// Keeps the sockets that own the tables with the service manager, so that ownership outlasts a
/// crash.
///
/// A socket that the manager has a copy of stays open when the agent is killed: nobody else can
/// change the table meanwhile, and what the kernel answered last is still in its queue.
public final class SocketKeeper: Sendable {
    private let manager: ServiceManager
    private let state: Mutex<State>

    private struct State {
        /// Handed over at the start and not taken yet, by name.
        var waiting: [String: CInt]
        /// With the manager.
        var kept: Set<String>
    }

    /// Takes over what the manager kept for an agent that is gone.
    public init(_ manager: ServiceManager, handed: HandedDescriptors) {
        self.manager = manager
        var waiting: [String: CInt] = [:]
        for entry in handed.entries {
            // One socket a table; a second of the same name is of no use.
            if let old = waiting.updateValue(entry.descriptor, forKey: entry.name) { close(old) }
        }
        state = Mutex(State(waiting: waiting, kept: Set(waiting.keys)))
    }

    /// The name that the manager knows a socket by.
    static func name(_ id: NamespaceID) -> String { "table-\(id.device)-\(id.inode)" }

    /// The socket that an earlier agent left for a namespace; nil where there is none.
    func take(_ id: NamespaceID) -> NetfilterSocket? {
        let name = Self.name(id)
        guard let raw = state.withLock({ $0.waiting.removeValue(forKey: name) }) else {
            return nil
        }
        let adopted = try? NetfilterSocket(adopting: Descriptor(owning: raw), of: id)
        if adopted == nil { drop(name) }
        return adopted
    }

    /// Gives the manager a copy of the socket that owns a namespace's table.
    func keep(_ socket: CInt, of id: NamespaceID) throws(SystemError) {
        let name = Self.name(id)
        guard state.withLock({ $0.kept.insert(name).inserted }) else { return }
        do throws(SystemError) {
            try manager.tell(["FDSTORE=1", "FDNAME=\(name)"], keeping: socket)
        } catch {
            state.withLock { _ = $0.kept.remove(name) }
            throw error
        }
    }

    /// Whether the manager has a copy of the socket.
    func isKept(_ id: NamespaceID) -> Bool {
        state.withLock { $0.kept.contains(Self.name(id)) }
    }

    /// The namespace is gone or not ours any more.
    func drop(_ id: NamespaceID) { drop(Self.name(id)) }

    /// Gives back what nobody took: namespaces that went while no agent ran.
    func dropRest() {
        let rest = state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting
        }
        for (name, descriptor) in rest {
            close(descriptor)
            drop(name)
        }
    }

    private func drop(_ name: String) {
        guard state.withLock({ $0.kept.remove(name) }) != nil else { return }
        // A manager that can't be told keeps a socket too many: that opens and closes nothing.
        try? manager.tell(["FDSTOREREMOVE=1", "FDNAME=\(name)"])
    }
}
