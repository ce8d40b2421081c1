import Foundation

/// What was measured, next to what was aimed at.
struct Results: Encodable {
    struct Measure: Encodable {
        let measure: String
        let unit: String
        let target: Double?
        let measured: Double
        let pass: Bool?
    }

    private var measures: [Measure] = []

    mutating func add(_ measure: String, _ unit: String, target: Double?, _ measured: Double) {
        let rounded = (measured * 1000).rounded() / 1000
        measures.append(
            Measure(
                measure: measure, unit: unit, target: target, measured: rounded,
                pass: target.map { rounded <= $0 }))
        print("  \(measure): \(rounded) \(unit)")
        fflush(nil)
    }

    var table: String {
        let width = measures.map(\.measure.count).max() ?? 0
        let rows = measures.map { measure in
            let name = measure.measure.padding(toLength: width, withPad: " ", startingAt: 0)
            let target = measure.target.map { "\($0)" } ?? "-"
            let verdict = measure.pass.map { $0 ? "met" : "MISSED" } ?? ""
            return "\(name)  \(measure.measured) \(measure.unit)  target \(target)  \(verdict)"
        }
        return "\n" + rows.joined(separator: "\n")
    }

    func write(to path: String) throws {
        try FileManager.default.createDirectory(
            atPath: "results", withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(measures).write(to: URL(fileURLWithPath: path))
    }
}

/// Times of several runs, in milliseconds.
struct Times {
    private var values: [Double] = []

    mutating func add(_ duration: Duration) {
        let parts = duration.components
        values.append(Double(parts.seconds) * 1000 + Double(parts.attoseconds) / 1e15)
    }

    var worst: Double { values.max() ?? .nan }

    var median: Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
