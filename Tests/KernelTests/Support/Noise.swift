import Glibc
import Linux
import NetTypes
import Synchronization

/// Transactions of nf_tables that a tenant's root makes in its own namespace, one after the other.
final class Noise: Sendable {
    /// What each transaction does.
    enum Kind: Sendable, CaseIterable {
        /// A table comes, and goes in the next one: as many transactions as can be.
        case tables
        /// Tables of many chains come and go: long lists, and long transactions.
        case chains
        /// A table of very many rules comes and goes within one transaction, which takes about a second.
        case giants
    }

    private let made = Mutex(0)
    private let isStopping = Mutex(false)
    private let threads: Mutex<[Worker<Void>]> = Mutex([])

    /// Makes noise until it is ended, for so many seconds at most.
    init(
        _ kind: Kind, threads count: Int, seconds: UInt64, in namespace: borrowing NetworkNamespace
    ) throws {
        let end = monotonicTime() + seconds * 1_000_000_000
        for number in 0..<count {
            let socket = try namespace.run { () throws(SystemError) in try NoiseSocket() }
            let box = NoiseSocketBox(socket)
            let worker = Worker { [self] in
                let name = "noise\(number)"
                let giant = kind == .giants ? NoiseSocket.giant(name) : []
                if kind == .giants { try box.socket.makeRoom() }
                while !isStopping.withLock({ $0 }), monotonicTime() < end {
                    guard kind != .giants else {
                        try box.socket.send(giant)
                        made.withLock { $0 += 1 }
                        continue
                    }
                    try box.socket.transact(kind.coming(name))
                    try box.socket.transact([NoiseSocket.table(name, isDeletion: true)])
                    made.withLock { $0 += 2 }
                }
            }
            threads.withLock { $0.append(worker) }
        }
    }

    /// Makes a table of so many chains, some thousand in each transaction.
    static func fill(chains: Int, in namespace: borrowing NetworkNamespace) throws {
        let socket = try namespace.run { () throws(SystemError) in try NoiseSocket() }
        try socket.transact([NoiseSocket.table("full", isDeletion: false)])
        for start in stride(from: 0, to: chains, by: 2000) {
            try socket.transact(
                (start..<start + 2000).map { NoiseSocket.chain("c\($0)", of: "full") })
        }
    }

    /// How many transactions were made so far.
    var count: Int { made.withLock { $0 } }

    /// Ends it; gives how many transactions there were.
    @discardableResult
    func end() async throws -> Int {
        isStopping.withLock { $0 = true }
        for thread in threads.withLock({ $0 }) { try await thread.value() }
        return count
    }

    deinit { isStopping.withLock { $0 = true } }
}

extension Noise.Kind {
    fileprivate func coming(_ name: String) -> [NoiseSocket.Message] {
        let chains = self == .tables ? 0 : 500
        return [NoiseSocket.table(name, isDeletion: false)]
            + (0..<chains).map { NoiseSocket.chain("c\($0)", of: name) }
    }
}

/// A process of the tenant's root that owns the table which is called like the agent's.
final class Squatter: Sendable {
    private let box: NoiseSocketBox

    /// Takes the table over if it is there and nobody's, and makes it anew, empty.
    init(in namespace: borrowing NetworkNamespace) throws {
        box = NoiseSocketBox(
            try namespace.run { () throws(SystemError) in try NoiseSocket() })
        let name = "ringfence"
        try box.socket.transact([NoiseSocket.ownedTable(name)])
        try box.socket.transact([NoiseSocket.table(name, isDeletion: true)])
        try box.socket.transact([NoiseSocket.ownedTable(name)])
    }
}

private final class NoiseSocketBox: Sendable {
    let socket: NoiseSocket
    init(_ socket: consuming NoiseSocket) { self.socket = socket }
}

/// A netlink socket of a tenant's root.
private struct NoiseSocket: ~Copyable, Sendable {
    /// A message of nf_tables: its type, flags and attributes.
    struct Message {
        let type: UInt8
        let flags: UInt16
        let attributes: [UInt8]
    }

    private let descriptor: Descriptor

    init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try check("socket", on: "NETLINK_NETFILTER") {
                socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | 0o2000000, 12)
            })
    }

    /// NFT_MSG_NEWTABLE and NFT_MSG_DELTABLE; NFTA_TABLE_NAME is 1.
    static func table(_ name: String, isDeletion: Bool) -> Message {
        Message(
            type: isDeletion ? 2 : 0, flags: isDeletion ? 0 : create, attributes: text(1, name))
    }

    /// The same with NFTA_TABLE_FLAGS, which is 2, of NFT_TABLE_F_OWNER and NFT_TABLE_F_PERSIST; in network byte order.
    static func ownedTable(_ name: String) -> Message {
        Message(
            type: 0, flags: create,
            attributes: text(1, name) + host(UInt16(8)) + host(UInt16(2)) + [0, 0, 0, 6])
    }

    /// NFT_MSG_NEWCHAIN; NFTA_CHAIN_TABLE is 1, NFTA_CHAIN_NAME is 3.
    static func chain(_ name: String, of table: String) -> Message {
        Message(type: 3, flags: create, attributes: text(1, table) + text(3, name))
    }

    /// Makes one transaction, and waits until the kernel has answered.
    func transact(_ messages: [Message]) throws {
        var bytes = Self.message(0x10, 0, [0, 0, 0, 10])
        for (index, message) in messages.enumerated() {
            let asks: UInt16 = index == messages.count - 1 ? 4 : 0
            // NFPROTO_INET: the family of the agent's table.
            bytes += Self.message(
                10 << 8 | UInt16(message.type), message.flags | asks,
                [1, 0, 0, 0] + message.attributes)
        }
        bytes += Self.message(0x11, 0, [0, 0, 0, 10])
        try send(bytes)
    }

    /// A transaction that ends where it began, and takes the kernel long.
    static func giant(_ name: String) -> [UInt8] {
        // NFT_MSG_NEWRULE; NFTA_RULE_TABLE is 1, NFTA_RULE_CHAIN is 2.
        let rule = Self.message(
            10 << 8 | 6, Self.create | Self.append,
            [1, 0, 0, 0] + Self.text(1, name) + Self.text(2, "c"))
        var bytes = Self.message(0x10, 0, [0, 0, 0, 10])
        for message in [Self.table(name, isDeletion: false), Self.chain("c", of: name)] {
            bytes += Self.message(
                10 << 8 | UInt16(message.type), message.flags, [1, 0, 0, 0] + message.attributes)
        }
        let rules = Array(repeating: rule, count: 1000).flatMap(\.self)
        bytes.reserveCapacity(bytes.count + rules.count * 1000)
        for _ in 0..<Self.thousandsOfRules { bytes += rules }
        let end = Self.table(name, isDeletion: true)
        bytes += Self.message(
            10 << 8 | UInt16(end.type), end.flags | 4, [1, 0, 0, 0] + end.attributes)
        bytes += Self.message(0x11, 0, [0, 0, 0, 10])
        return bytes
    }

    /// Lets messages be as large as they come.
    func makeRoom() throws {
        var size = CInt(1 << 30)
        try check("setsockopt") {
            setsockopt(
                descriptor.rawValue, SOL_SOCKET, SO_SNDBUFFORCE, &size,
                socklen_t(MemoryLayout<CInt>.size))
        }
    }

    private static let thousandsOfRules = 100
    /// NLM_F_APPEND.
    private static let append: UInt16 = 0x800

    func send(_ bytes: [UInt8]) throws {
        try check("send") { Glibc.send(descriptor.rawValue, bytes, bytes.count, 0) }
        var answer = [UInt8](repeating: 0, count: 4096)
        let size = try check("recv") { recv(descriptor.rawValue, &answer, answer.count, 0) }
        guard size >= 20, answer[16..<20].allSatisfy({ $0 == 0 }) else {
            throw SystemError("nf_tables", code: EPROTO)
        }
    }

    /// NLM_F_REQUEST comes with every message.
    private static func message(_ type: UInt16, _ flags: UInt16, _ payload: [UInt8]) -> [UInt8] {
        host(UInt32(16 + payload.count)) + host(type) + host(flags | 1) + host(UInt32(0))
            + host(UInt32(0)) + payload
    }

    private static func text(_ type: UInt16, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8) + [0]
        let padding = [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        return host(UInt16(4 + bytes.count)) + host(type) + bytes + padding
    }

    private static func host(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number) { Array($0) }
    }

    /// NLM_F_CREATE.
    private static let create: UInt16 = 0x400
}
