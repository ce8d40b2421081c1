internal import CNetfilter
internal import Glibc

/// Messages that the kernel takes or refuses as one transaction.
struct Batch: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0
    /// What each message is about, from `firstSequence` on.
    private var objects: [String] = []

    /// Sequence numbers of one socket only have to differ within an exchange.
    static let firstSequence: UInt32 = 1

    /// The most that one message takes: an attribute's length has 16 bits, and headers come on top.
    private static let headroom = 1 << 17

    init() {
        capacity = 1 << 18
        memory = .allocate(byteCount: capacity, alignment: 8)
        let header = nftnl_batch_begin(next(), Self.firstSequence)
        close(header, "begin of batch")
    }

    deinit { memory.deallocate() }

    /// The sequence number of the message that comes next.
    private var sequence: UInt32 { Self.firstSequence + UInt32(objects.count) }

    /// Whether any message stands between begin and end.
    var hasMessages: Bool { objects.count > 1 }

    /// What the message of that sequence number is about.
    func object(of sequence: UInt32) -> String {
        let index = Int(sequence &- Self.firstSequence)
        return objects.indices.contains(index) ? objects[index] : "batch"
    }

    /// Adds a message of an nf_tables type; `build` appends its attributes.
    mutating func add(
        _ type: nf_tables_msg_types, flags: Int32 = 0, about object: @autoclosure () -> String,
        build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        let header = nftnl_nlmsg_build_hdr(
            next(), UInt16(type.rawValue), UInt16(Self.inet), UInt16(flags), sequence)
        guard let header else { preconditionFailure("libnftnl builds in the memory it is given") }
        build(header)
        close(header, object())
    }

    /// Ends and sends the batch.
    ///
    /// The last message asks for an answer, so one is sure to come; gives its sequence number.
    mutating func send(on socket: borrowing NetfilterSocket) throws(NftablesError) -> UInt32 {
        let last = sequence - 1
        lastHeader.pointee.nlmsg_flags |= UInt16(NLM_F_ACK)
        close(nftnl_batch_end(next(), sequence), "end of batch")
        do {
            try socket.send(UnsafeRawBufferPointer(start: memory, count: count))
        } catch {
            throw .socket(error)
        }
        return last
    }

    private var lastOffset = 0

    private var lastHeader: UnsafeMutablePointer<nlmsghdr> {
        (memory + lastOffset).assumingMemoryBound(to: nlmsghdr.self)
    }

    private mutating func next() -> UnsafeMutablePointer<CChar> {
        if capacity - count < Self.headroom {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 8)
            larger.copyMemory(from: memory, byteCount: count)
            memory.deallocate()
            memory = larger
            capacity *= 2
        }
        return (memory + count).assumingMemoryBound(to: CChar.self)
    }

    private mutating func close(_ header: UnsafeMutablePointer<nlmsghdr>?, _ object: String) {
        guard let header else { preconditionFailure("libnftnl builds in the memory it is given") }
        lastOffset = count
        count += (Int(header.pointee.nlmsg_len) + 3) & ~3
        objects.append(object)
    }

    /// NFPROTO_INET of linux/netfilter.h.
    static let inet: UInt32 = 1
}

extension Batch {
    /// Messages that are the same in every namespace: a thousand of them get one set of chains.
    struct Constant: Sendable {
        fileprivate let bytes: [UInt8]
        fileprivate let objects: [String]

        init(_ build: (inout Batch) -> Void) {
            var batch = Batch()
            let start = batch.count
            build(&batch)
            bytes = Array(
                UnsafeRawBufferPointer(start: batch.memory + start, count: batch.count - start))
            objects = Array(batch.objects.dropFirst())
        }
    }

    /// Adds messages that were built before, with sequence numbers of this batch.
    mutating func add(_ constant: Constant) {
        constant.bytes.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return }
            var offset = 0
            for object in constant.objects {
                let length = Int((source + offset).loadUnaligned(as: nlmsghdr.self).nlmsg_len)
                let place = UnsafeMutableRawPointer(next())
                place.copyMemory(from: source + offset, byteCount: length)
                let header = place.assumingMemoryBound(to: nlmsghdr.self)
                header.pointee.nlmsg_seq = sequence
                close(header, object)
                offset += (length + 3) & ~3
            }
        }
    }
}
