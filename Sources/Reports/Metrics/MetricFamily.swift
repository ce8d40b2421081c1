/// Samples that share a name, a type and a meaning.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
        case info
    }

    /// As OpenMetrics has it: without `_total` and `_info`.
    let name: String
    let kind: Kind
    /// A base unit, which is then the end of the name.
    let unit: String?
    /// Without quotes, backslashes and line feeds.
    let help: String
    let count: Int
    /// Writes the sample of a number below the count, its line feed included.
    let write: @Sendable (Int, inout MetricsText) -> Void

    /// The name of a counter's or an info's samples, or of a gauge's.
    var sampleName: String {
        switch kind {
        case .counter: name + "_total"
        case .info: name + "_info"
        case .gauge, .histogram: name
        }
    }

    /// What stands before the samples.
    func writeHead(to text: inout MetricsText) {
        let isOpen = text.form == .openMetrics
        let title = isOpen ? name : sampleName
        // Only OpenMetrics knows infos: to others they are gauges of 1.
        let type = kind == .info && !isOpen ? Kind.gauge : kind
        text.append("# HELP \(title) \(help)\n# TYPE \(title) \(type.rawValue)\n")
        if isOpen, let unit { text.append("# UNIT \(title) \(unit)\n") }
    }
}

extension MetricFamily {
    /// A value and the labels that tell it from the others of its family.
    struct Sample: Sendable {
        enum Value: Sendable {
            case whole(UInt64)
            case real(Double)
        }

        let labels: [(name: String, value: String)]
        let value: Value

        init(_ value: UInt64, _ labels: [(name: String, value: String)] = []) {
            self.labels = labels
            self.value = .whole(value)
        }

        init(real value: Double, _ labels: [(name: String, value: String)] = []) {
            self.labels = labels
            self.value = .real(value)
        }
    }

    /// A family of few samples.
    init(_ kind: Kind, _ name: String, unit: String? = nil, help: String, _ samples: [Sample]) {
        let full =
            switch kind {
            case .counter: name + "_total"
            case .info: name + "_info"
            case .gauge, .histogram: name
            }
        self.init(name: name, kind: kind, unit: unit, help: help, count: samples.count) {
            $1.begin(full, samples[$0].labels)
            switch samples[$0].value {
            case .whole(let number): $1.append(number)
            case .real(let number): $1.append(number)
            }
            $1.endLine()
        }
    }

    /// One value without labels.
    init(_ kind: Kind, _ name: String, unit: String? = nil, help: String, _ value: UInt64) {
        self.init(kind, name, unit: unit, help: help, [Sample(value)])
    }

    /// Durations by their lengths.
    init(_ name: String, help: String, _ histogram: Histogram) {
        self.init(name: name, kind: .histogram, unit: "seconds", help: help, count: 1) {
            var below: UInt64 = 0
            for (bound, count) in zip(histogram.bounds, histogram.counts) {
                below += count
                $1.begin(name + "_bucket", [("le", "\(bound)")])
                $1.append(below)
                $1.endLine()
            }
            $1.begin(name + "_bucket", [("le", "+Inf")])
            $1.append(histogram.count)
            $1.endLine()
            $1.begin(name + "_sum")
            $1.append(histogram.sum)
            $1.endLine()
            $1.begin(name + "_count")
            $1.append(histogram.count)
            $1.endLine()
            _ = $0
        }
    }
}
