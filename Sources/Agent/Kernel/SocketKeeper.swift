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
            let name = Self.rename(entry.name, of: entry.descriptor, manager)
            // One socket a table; a second of the same name is of no use.
            if let old = waiting.updateValue(entry.descriptor, forKey: name) { close(old) }
        }
        state = Mutex(State(waiting: waiting, kept: Set(waiting.keys)))
    }

    /// How many the manager keeps at most: FileDescriptorStoreMax= of the unit.
    static let room = 8192

    /// The name that the manager knows a socket by.
    ///
    /// Short, since it hands over all names in one variable, of which Linux takes 128 KiB (MAX_ARG_STRLEN of
    /// linux/binfmts.h).
    static func name(_ id: NamespaceID) -> String {
        "\(String(id.device, radix: 36))-\(String(id.inode, radix: 36))"
    }

    /// Gives a socket that an earlier release left the name that this one knows it by.
    private static func rename(
        _ name: String, of descriptor: CInt, _ manager: ServiceManager
    ) -> String {
        let words = name.split(separator: "-")
        guard words.count == 3, words[0] == "table", let device = UInt64(words[1]),
            let inode = UInt64(words[2])
        else { return name }
        let new = Self.name(NamespaceID(device: device, inode: inode))
        do throws(SystemError) {
            try manager.tell(["FDSTORE=1", "FDNAME=\(new)", "FDPOLL=0"], keeping: descriptor)
            try manager.tell(["FDSTOREREMOVE=1", "FDNAME=\(name)"])
            return new
        } catch {
            // The manager goes on keeping it by the old name, and this agent takes it by the new one.
            return new
        }
    }

    /// The socket that an earlier agent left for a namespace; nil where there is none.
    ///
    /// A second descriptor of it is kept for the next try until the namespace is said to be taken over.
    func take(_ id: NamespaceID) throws(SystemError) -> NetfilterSocket? {
        let name = Self.name(id)
        guard let raw = state.withLock({ $0.waiting[name] }) else { return nil }
        do throws(SystemError) {
            return try NetfilterSocket(adopting: Descriptor(duplicating: raw), of: id)
        } catch {
            guard error.code == EINVAL else { throw error }
            takenOver(id)
            drop(name)
            return nil
        }
    }

    /// The namespace is in the agent's hands, with what was kept for it.
    func takenOver(_ id: NamespaceID) {
        if let raw = state.withLock({ $0.waiting.removeValue(forKey: Self.name(id)) }) {
            close(raw)
        }
    }

    /// Gives the manager a copy of the socket that owns a namespace's table.
    func keep(_ socket: CInt, of id: NamespaceID) throws(SystemError) {
        let name = Self.name(id)
        let isNew = state.withLock { state in
            state.kept.contains(name) ? false : state.kept.count < Self.room ? true : nil
        }
        guard let isNew else {
            throw SystemError(
                "FDSTORE", on: "a service manager that keeps \(Self.room)", code: ENOSPC)
        }
        guard isNew, state.withLock({ $0.kept.insert(name).inserted }) else { return }
        do throws(SystemError) {
            // A socket that lost a message is no worse for that: FDPOLL=0 has the manager keep it all the same.
            try manager.tell(["FDSTORE=1", "FDNAME=\(name)", "FDPOLL=0"], keeping: socket)
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

    /// Gives back what nobody took: of namespaces that went while no agent ran, not of those that
    /// are tried again.
    func dropRest(except tried: some Sequence<NamespaceID>) {
        let kept = Set(tried.map(Self.name))
        let rest = state.withLock { state in
            let rest = state.waiting.filter { !kept.contains($0.key) }
            state.waiting = state.waiting.filter { kept.contains($0.key) }
            return rest
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
