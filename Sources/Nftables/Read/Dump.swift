internal import CNetfilter
internal import Linux
internal import Rules

extension NetfilterSocket {
    /// What can be asked for.
    struct Subject {
        /// Subsystem and message, as in `nlmsg_type`.
        let type: UInt16
        let family: UInt8

        static func tables(_ type: nf_tables_msg_types) -> Subject {
            Subject(
                type: Message.nfTables << 8 | UInt16(type.rawValue), family: UInt8(Batch.inet))
        }

        /// NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_GET, of every family.
        static let connections = Subject(type: 1 << 8 | 1, family: 0)
    }

    /// Asks one question and gives every message of the answer.
    ///
    /// A dump that the kernel marks as interrupted is thrown away and asked for again. The kernel marks it
    /// when anybody changed anything in the namespace's rulesets meanwhile.
    ///
    /// - Parameters:
    ///   - subject: What is asked for.
    ///   - isSteady: Whether nobody can have changed what was asked for; it is called after a dump that
    ///     was interrupted, which is good then.
    ///   - build: Adds what restricts the question.
    /// - Returns: The messages of the answer.
    /// - Throws: What the kernel refused, or `restless`.
    func dump(
        _ subject: Subject, isSteady: () throws(NftablesError) -> Bool = { false },
        build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> [Message] {
        for _ in 0..<Self.mostAttempts {
            switch try attempt(subject, flags: NLM_F_DUMP, build) {
            case .complete(let messages): return messages
            case .absent: return []
            case .interrupted(let messages):
                if let messages, try isSteady() { return messages }
            }
        }
        throw .restless
    }

    /// Asks for one object; nil when there is none.
    func get(
        _ type: nf_tables_msg_types, build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> Message? {
        try get(.tables(type), build: build)
    }

    /// Asks for one object; nil when there is none.
    func get(
        _ subject: Subject, build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> Message? {
        try getAll(subject, build: build)?.first
    }

    /// Asks for several objects in one question; nil when one of them isn't there.
    func getAll(
        _ subject: Subject, build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> [Message]? {
        guard case .complete(let messages) = try attempt(subject, flags: NLM_F_ACK, build) else {
            return nil
        }
        return messages
    }

    private enum Answer {
        case complete([Message])
        /// Something in the namespace's rulesets changed meanwhile; nil where the kernel gave up.
        case interrupted([Message]?)
        case absent
    }

    private func attempt(
        _ subject: Subject, flags: Int32, _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> Answer {
        try ask(subject, flags: flags, build)
        var messages: [Message] = []
        var isInterrupted = false
        while true {
            for message in try datagram() where message.sequence == Self.question {
                isInterrupted = isInterrupted || message.flags & Self.interrupted != 0
                if message.type == Self.done {
                    return isInterrupted ? .interrupted(messages) : .complete(messages)
                }
                guard let answer = Acknowledgement(message) else {
                    messages.append(message)
                    continue
                }
                switch answer.code {
                case 0: return .complete(messages)
                case 2: return .absent
                case 4: return .interrupted(nil)
                default:
                    let error = SystemError("nf_tables", on: "dump", code: answer.code)
                    throw .refused(object: "dump", error, kernelText: answer.text)
                }
            }
        }
    }

    func ask(
        _ subject: Subject, flags: Int32, _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) {
        do {
            try discardAnswers()
            try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) {
                buffer throws(SystemError) in
                guard let start = buffer.baseAddress else { return }
                // It puts nf_tables into the type, which is right for one of the subjects only.
                let header = nftnl_nlmsg_build_hdr(
                    start.assumingMemoryBound(to: CChar.self), subject.type & 0xff,
                    UInt16(subject.family), UInt16(flags), Self.question)
                guard let header else { return }
                header.pointee.nlmsg_type = subject.type
                build(header)
                try send(UnsafeRawBufferPointer(start: start, count: Int(header.pointee.nlmsg_len)))
            }
        } catch {
            throw .socket(error)
        }
    }

    /// Empties the socket: what is left of an exchange that failed is no answer to the next.
    private func discardAnswers() throws(SystemError) {
        var overflows = 0
        while true {
            do throws(SystemError) {
                guard try receive() != nil else { return }
            } catch {
                overflows += 1
                guard error.code == Self.overflow, overflows < Self.mostOverflows else {
                    throw error
                }
            }
        }
    }

    /// The messages of the next datagram, waited for.
    private func datagram() throws(NftablesError) -> [Message] {
        do throws(SystemError) {
            while true {
                if let bytes = try receive() { return Message.all(in: bytes[...]) }
                guard try wait(milliseconds: 1000) else {
                    throw SystemError("recv", on: "NETLINK_NETFILTER", code: Self.timedOut)
                }
            }
        } catch {
            throw .socket(error)
        }
    }

    /// How often a socket may be full while it is emptied: more often, and somebody keeps it full.
    static let mostOverflows = 8
    /// How often an answer is asked for that changes interrupt.
    static let mostAttempts = 20
    static let question: UInt32 = 0x7266_0001
    /// NLMSG_DONE, NLM_F_DUMP_INTR, ETIMEDOUT, ENOBUFS.
    static let done: UInt16 = 3
    static let interrupted: UInt16 = 0x10
    private static let timedOut: CInt = 110
    private static let overflow: CInt = 105
}
