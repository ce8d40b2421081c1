internal import CNetfilter
internal import Glibc
public import Linux
internal import NetTypes
internal import Rules

/// The kernel's word that an endpoint refused a flow for the first time.
///
/// A message only says that there is something to read: the flow with its counters is in the
/// table's sets by then, and stays there when a message is lost.
public struct RefusalLog: ~Copyable, Sendable {
    private let socket: NetfilterSocket

    /// What has come since the last look.
    public struct News: Sendable {
        public var messages = 0
        /// The socket was full for a while, and messages were dropped.
        public var overflowed = false
    }

    /// The socket, for a poller.
    public var rawValue: CInt { socket.rawValue }

    /// Opens and binds the log's socket in the calling thread's namespace; system calls only.
    ///
    /// The kernel gives a group to one socket: EBUSY means that another program listens to
    /// `Refusal.logGroup` there.
    public init() throws(SystemError) {
        let opened = try NetfilterSocket(receiveBuffer: 256 << 10)
        let settings: [(nfulnl_attr_config, [UInt8])] = [
            (NFULA_CFG_CMD, [UInt8(NFULNL_CFG_CMD_BIND.rawValue)]),
            // A range of four bytes, the mode, and padding: no packet is copied.
            (NFULA_CFG_MODE, [0, 0, 0, 0, UInt8(NFULNL_COPY_META), 0]),
            (NFULA_CFG_QTHRESH, UInt32(1).networkBytes),
            (NFULA_CFG_NLBUFSIZ, UInt32(512).networkBytes),
        ]
        for (attribute, value) in settings {
            try opened.configureLog(UInt16(attribute.rawValue), value)
        }
        socket = opened
    }

    /// Takes all messages and never waits.
    public func drain() throws(SystemError) -> News {
        var news = News()
        // Somebody who never stops being refused must not keep the caller here for ever.
        while news.messages < 256 {
            do throws(SystemError) {
                guard let datagram = try socket.receive() else { return news }
                news.messages += Message.all(in: datagram[...]).count
            } catch {
                guard error.code == ENOBUFS else { throw error }
                news.overflowed = true
            }
        }
        return news
    }
}

extension NetfilterSocket {
    /// Sends one NFULNL_MSG_CONFIG and waits for its answer.
    fileprivate func configureLog(_ attribute: UInt16, _ value: [UInt8]) throws(SystemError) {
        try withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) {
            buffer throws(SystemError) in
            guard let header = mnl_nlmsg_put_header(buffer.baseAddress) else { return }
            header.pointee.nlmsg_type = Message.packetLog << 8 | UInt16(NFULNL_MSG_CONFIG.rawValue)
            header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ACK)
            let size = MemoryLayout<nfgenmsg>.size
            let generic = mnl_nlmsg_put_extra_header(header, size)?
                .assumingMemoryBound(to: nfgenmsg.self)
            generic?.pointee = nfgenmsg(
                nfgen_family: 0, version: 0, res_id: Refusal.logGroup.bigEndian)
            mnl_attr_put(header, attribute, value.count, value)
            try send(UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
        }
        while try wait(milliseconds: 1000), let datagram = try receive() {
            for message in Message.all(in: datagram[...]) {
                guard let answer = Acknowledgement(message) else { continue }
                if answer.code == 0 { return }
                throw SystemError("bind", on: "log group \(Refusal.logGroup)", code: answer.code)
            }
        }
        throw SystemError("bind", on: "log group \(Refusal.logGroup)", code: ETIMEDOUT)
    }
}
