/// What one sink gets, and where it writes it.
public struct SinkOptions: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        case standardOutput
        /// A file that is put aside as `PATH.1` before it grows beyond a size; so many are kept.
        case file(path: String, maxBytes: Int, keep: Int)
        case syslog(SyslogAddress, facility: SyslogFacility)
    }

    public var target: Target
    /// What is written of all that happens.
    public var events: Set<SinkEvent>
    /// How many records may wait.
    public var queue: Int
    /// How many records a second are taken on average, and at once; 0 is any number.
    public var rate: Int

    public init(
        _ target: Target, events: Set<SinkEvent> = Set(SinkEvent.allCases), queue: Int = 4096,
        rate: Int = 1000
    ) {
        self.target = target
        self.events = events
        self.queue = queue
        self.rate = rate
    }
}

extension SinkOptions.Target {
    /// What reports call the sink.
    var name: String {
        switch self {
        case .standardOutput: "stdout"
        case .file: "file"
        case .syslog: "syslog"
        }
    }

    /// Where it writes to, in words.
    var place: String {
        switch self {
        case .standardOutput: "standard output"
        case .file(let path, _, _): path
        case .syslog(let address, _): address.description
        }
    }

    /// Made on the thread that uses it.
    func writer() -> any SinkWriter {
        switch self {
        case .standardOutput: StandardOutput()
        case .file(let path, let maxBytes, let keep):
            RotatingFile(path, maxBytes: maxBytes, keep: keep)
        case .syslog(let address, let facility): SyslogSocket(address, facility)
        }
    }
}
