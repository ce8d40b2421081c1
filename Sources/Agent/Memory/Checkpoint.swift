internal import Crypto
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import NetTypes
internal import Nftables
internal import Policy

/// What was so when the kernel held all that the policy files say, in a form that takes a later agent
/// milliseconds to compare.
///
/// Where nothing in here differs, the kernel holds what this agent would compile: equal inputs give
/// equal bytes, and every transaction moves the generation of its namespace on.
struct Checkpoint: Codable, Sendable {
    /// The boot and the build of the agent; another build may compile otherwise.
    let origin: String
    /// The SHA-256 of every policy file in force, by path.
    let files: [String: String]
    /// A hash of all that was observed and announced.
    let surroundings: String
    /// Paths of namespaces that stand in no folder.
    let paths: [String]
    let tables: [Table]
    /// When the latest policy of these files expired, and when the next will; nil where none did or will.
    ///
    /// Before and after that they mean something else.
    let since: Timestamp?
    let until: Timestamp?

    /// Whether the files mean at a moment what they meant then.
    func covers(_ moment: Timestamp) -> Bool {
        (since.map { $0 <= moment } ?? true) && (until.map { moment < $0 } ?? true)
    }

    struct Table: Codable, Sendable {
        let id: NamespaceID
        let ruleset: RulesetGeneration
        /// The generation of the agent that the table came with.
        let generation: UInt64
    }
}

extension Checkpoint {
    /// The kernel's name for this boot (`/proc/sys/kernel/random/boot_id`); nil where it doesn't tell.
    static let boot: String? = FileManager.default.contents(
        atPath: "/proc/sys/kernel/random/boot_id"
    ).map { String(decoding: $0.dropLast(), as: UTF8.self) }

    /// The boot, and the program that runs; nil where the kernel doesn't tell.
    static let currentOrigin: String? = {
        guard let boot, let program = try? FileSignature(at: "/proc/self/exe")
        else { return nil }
        return """
            \(boot) \(program.device) \
            \(program.inode) \(program.size) \(program.changed)
            """
    }()

    /// The hash of what stands around the policies.
    static func hash(
        _ observed: [NamespaceID: ObservedNamespace], host: NamespaceID?,
        announced: some Sequence<Announcement>
    ) -> String {
        var hash = Facts()
        hash.add(host.map { "\($0.device) \($0.inode)" } ?? "")
        for (id, namespace) in observed.sorted(by: { $0.key < $1.key }) {
            hash.add(id.device, id.inode)
            hash.add(namespace.paths)
            hash.add(UInt64(namespace.pids.count))
            for pid in namespace.pids { hash.add(UInt64(UInt32(bitPattern: pid))) }
            hash.add(UInt64(UInt32(bitPattern: namespace.hostNumber ?? -1)))
            hash.add(UInt64(namespace.interfaces.count))
            for interface in namespace.interfaces { hash.add(interface) }
            hash.add(namespace.routes)
        }
        for entry in announced.sorted(by: { ($0.tenant, $0.id) < ($1.tenant, $1.id) }) {
            hash.add(["\(entry.place)", entry.tenant])
            hash.add(entry.id.device, entry.id.inode)
            hash.add(entry.labels.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
            hash.add((entry.addresses ?? []).map(\.description))
        }
        return hash.text
    }

    /// The SHA-256 of every file's bytes, by path.
    static func digests(of snapshot: PolicyDirectory.Snapshot) -> [String: String] {
        let files = snapshot.files.map { (path: $0.key, bytes: $0.value.bytes) }
        // Batches, so that a thread that is slow to start doesn't hold up the others.
        let size = 64
        let batches = concurrently((files.count + size - 1) / size) { index in
            files[index * size..<min(files.count, (index + 1) * size)].map {
                ($0.path, SHA256.hash(data: $0.bytes).hexadecimal)
            }
        }
        return Dictionary(uniqueKeysWithValues: batches.joined())
    }

    /// Facts of any length, none of which can be taken for a part of its neighbour.
    private struct Facts {
        private var hash = SHA256()

        mutating func add(_ numbers: UInt64...) {
            for number in numbers {
                withUnsafeBytes(of: number.littleEndian) { hash.update(bufferPointer: $0) }
            }
        }

        mutating func add(_ bytes: [UInt8]) {
            add(UInt64(bytes.count))
            hash.update(data: bytes)
        }

        mutating func add(_ text: String) { add(Array(text.utf8)) }

        mutating func add(_ texts: [String]) {
            add(UInt64(texts.count))
            for text in texts { add(text) }
        }

        mutating func add(_ interface: ObservedInterface) {
            add(
                UInt64(UInt32(bitPattern: interface.index)), interface.isUp ? 1 : 0,
                UInt64(UInt32(bitPattern: interface.peerIndex ?? -1)),
                UInt64(UInt32(bitPattern: interface.peerNamespace ?? -1)),
                UInt64(UInt32(bitPattern: interface.controllerIndex ?? -1)),
                UInt64(interface.addresses.count))
            add([interface.name, interface.kind ?? ""])
            add(interface.hardwareAddress)
            for address in interface.addresses {
                add(address.bytes)
                add(interface.created[address] ?? 0)
            }
            add(
                UInt64(UInt32(bitPattern: interface.lowerIndex ?? -1)),
                UInt64(UInt32(bitPattern: interface.lowerNamespace ?? -1)))
        }

        mutating func add(_ routes: [ObservedRoute]?) {
            add(UInt64(routes?.count ?? 0))
            for route in routes ?? [] {
                add(route.destination.address.bytes)
                add(
                    UInt64(route.destination.length), UInt64(route.table), UInt64(route.metric),
                    UInt64(route.hops.count))
                for hop in route.hops {
                    add(UInt64(UInt32(bitPattern: hop.link)))
                    add(hop.gateway?.bytes ?? [])
                }
            }
        }

        var text: String { hash.finalize().hexadecimal }
    }
}

/// The file that the checkpoint is kept in.
struct CheckpointFile: Sendable {
    let file: SealedFile

    init(directory: String) { file = SealedFile(path: directory + "/checkpoint.json") }

    /// What was last written; nil where there is nothing, or only what has no checksum.
    ///
    /// - Throws: `SealedFile.Damage` where it may not be believed, which costs the next start its time and
    ///   nothing else.
    func read() throws(SealedFile.Damage) -> Checkpoint? {
        if case .unsealed = file.read() { throw SealedFile.Damage(reason: "it has no checksum") }
        return try file.decode(Checkpoint.self)
    }

    func write(_ checkpoint: Checkpoint) throws(SystemError) { try file.write(checkpoint) }
}
