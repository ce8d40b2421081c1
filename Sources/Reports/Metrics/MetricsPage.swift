/// Metrics as text, piece by piece: on a large host the whole is tens of megabytes.
public struct MetricsPage: Sequence, IteratorProtocol, Sendable {
    private let families: [MetricFamily]
    private var text: MetricsText
    /// What comes next: a family, and the number of its sample; nil is the family's head.
    private var family = 0
    private var sample: Int?
    private var isOver = false

    /// How many bytes a piece has about.
    static let chunk = 1 << 16

    /// A page that can be gone through once.
    public init(_ report: MetricsReport, _ form: MetricsForm, limits: MetricsLimits = .init()) {
        families = report.families(limits)
        text = MetricsText(form)
    }

    /// The next piece; nil at the end.
    public mutating func next() -> [UInt8]? {
        guard !isOver else { return nil }
        while text.bytes.count < Self.chunk, family < families.count {
            step(families[family])
        }
        if family == families.count {
            isOver = true
            if text.form == .openMetrics { text.append("# EOF\n") }
        }
        return text.take()
    }

    private mutating func step(_ current: MetricFamily) {
        if sample == nil { current.writeHead(to: &text) }
        var index = sample ?? 0
        while index < current.count, text.bytes.count < Self.chunk {
            current.write(index, &text)
            index += 1
        }
        if index < current.count {
            sample = index
        } else {
            sample = nil
            family += 1
        }
    }
}

/// How many series a page has at most; what is beyond is added up.
public struct MetricsLimits: Hashable, Sendable {
    /// Rules with series of their own: the first in the order of files and lines.
    public var rules: Int
    /// Pairs of parties, reasons and so on with series of their own: the first by name.
    public var refused: Int

    public init(rules: Int = 100_000, refused: Int = 5_000) {
        self.rules = rules
        self.refused = refused
    }
}
