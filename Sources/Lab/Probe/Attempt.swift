import Glibc
import Linux
import NetTypes

/// One way that is being tried.
final class Attempt {
    let key: ProbeMatrix.Question
    let socket: InternetSocket
    private let target: SocketAddress
    private(set) var isConnecting: Bool
    private(set) var outcome: ProbeMatrix.Outcome?
    private(set) var deadline = ContinuousClock.now
    /// What the other end has to send back.
    private var message: [UInt8] = []

    init(_ question: ProbeQuestion, _ socket: consuming InternetSocket) {
        key = question.key
        target = question.target
        self.socket = socket
        isConnecting = question.key.listener.ipProtocol == .tcp
    }

    /// Sends the first packet.
    func begin(number: UInt64, patience: Duration) {
        message = Array("ringfence probe \(number)".utf8)
        deadline = .now + patience
        attempt { () throws(SystemError) in
            try socket.connect(to: target)
            if !isConnecting { _ = try socket.send(message) }
        }
    }

    /// Goes on when the socket is ready.
    func proceed() {
        attempt { () throws(SystemError) in
            guard isConnecting else { return try receive() }
            let code = try socket.pendingError()
            guard code == 0 else {
                throw SystemError("connect", on: target.description, code: code)
            }
            isConnecting = false
            _ = try socket.send(message)
        }
    }

    private func receive() throws(SystemError) {
        guard let answer = try socket.receive() else { return }
        // Where a program of the namespace listens already, it says what it likes.
        outcome = answer.isEmpty ? .refused : .reached
    }

    private func attempt(_ body: () throws(SystemError) -> Void) {
        do throws(SystemError) {
            try body()
        } catch {
            outcome = ProbeMatrix.Outcome(error)
        }
    }
}

extension ProbeMatrix.Outcome {
    fileprivate init(_ error: SystemError) {
        switch error.code {
        // A filter on the way out answers the sender itself.
        case EPERM: self = .blocked
        case ECONNREFUSED, ECONNRESET, EPIPE, EACCES, EHOSTUNREACH, ENETUNREACH: self = .refused
        default: self = .failed(error)
        }
    }
}
