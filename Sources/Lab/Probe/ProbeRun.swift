import Glibc
import Linux
import NetTypes

/// One probe under way: all sockets and one poller, worked by one thread.
final class ProbeRun {
    private(set) var outcomes: [ProbeMatrix.Question: ProbeMatrix.Outcome] = [:]
    private let patience: Duration
    private let poller: Poller
    private var attempts: [UInt64: Attempt] = [:]
    private var servers: [UInt64: Server] = [:]
    private var lastToken: UInt64 = 0

    init(patience: Duration) throws(SystemError) {
        self.patience = patience
        poller = try Poller()
    }

    /// Opens the listeners of one namespace, on each of its addresses that is asked for.
    func listen(in place: ProbePlace, for listeners: [LabListener]) throws(SystemError) {
        let targets = AddressFamily.allCases.compactMap { family in
            place.addresses.first { $0.family == family }
        }
        let opened = try NetworkNamespace(at: place.path).run { () throws(SystemError) in
            var opened: [Server] = []
            for listener in listeners {
                for target in targets {
                    if let server = try Server(listener, at: target) { opened.append(server) }
                }
            }
            return opened
        }
        for server in opened { try add(server) }
    }

    private func add(_ server: Server) throws(SystemError) {
        lastToken += 1
        servers[lastToken] = server
        try poller.add(server.socket.descriptor.rawValue, token: lastToken)
    }

    /// Tries some ways at once, and waits until each has its outcome.
    func ask(_ questions: ArraySlice<ProbeQuestion>) throws(SystemError) {
        var rest = questions
        while let path = rest.first?.path {
            let group = rest.prefix { $0.path == path }
            rest = rest.dropFirst(group.count)
            try start(group, in: path)
        }
        while !attempts.isEmpty {
            for token in try poller.wait(milliseconds: 5) { try serve(token) }
            try giveUp()
        }
    }

    private func start(_ group: ArraySlice<ProbeQuestion>, in path: String) throws(SystemError) {
        let started = try NetworkNamespace(at: path).run { () throws(SystemError) in
            var started: [Attempt] = []
            for question in group {
                started.append(
                    Attempt(
                        question,
                        try InternetSocket(question.key.listener.ipProtocol, question.key.family)))
            }
            return started
        }
        for attempt in started {
            lastToken += 1
            attempt.begin(number: lastToken, patience: patience)
            if let outcome = attempt.outcome {
                outcomes[attempt.key] = outcome
                continue
            }
            attempts[lastToken] = attempt
            try poller.add(
                attempt.socket.descriptor.rawValue, token: lastToken,
                for: attempt.isConnecting ? .writable : .readable)
        }
    }

    private func serve(_ token: UInt64) throws(SystemError) {
        if let server = servers[token] {
            for connection in server.serve() { try add(connection) }
            if server.isDone { servers[token] = nil }
        } else if let attempt = attempts[token] {
            let wasConnecting = attempt.isConnecting
            attempt.proceed()
            if let outcome = attempt.outcome {
                finish(token, attempt, outcome)
            } else if wasConnecting, !attempt.isConnecting {
                try poller.remove(attempt.socket.descriptor.rawValue)
                try poller.add(attempt.socket.descriptor.rawValue, token: token)
            }
        }
    }

    private func giveUp() throws(SystemError) {
        let now = ContinuousClock.now
        for (token, attempt) in attempts where attempt.deadline <= now {
            finish(token, attempt, .blocked)
        }
    }

    private func finish(_ token: UInt64, _ attempt: Attempt, _ outcome: ProbeMatrix.Outcome) {
        outcomes[attempt.key] = outcome
        attempts[token] = nil
    }
}
