internal import NetTypes

/// Lines of metrics as bytes: a large host has hundreds of thousands of them, so nothing is made of
/// strings that are put together first.
struct MetricsText {
    let form: MetricsForm
    private(set) var bytes: [UInt8] = []

    init(_ form: MetricsForm) { self.form = form }

    /// Gives what was written, and starts again with as much room.
    mutating func take() -> [UInt8] {
        defer {
            bytes = []
            bytes.reserveCapacity(MetricsPage.chunk + MetricsPage.chunk / 8)
        }
        return bytes
    }

    /// Text that needs no escape.
    mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }

    mutating func append(_ number: UInt64) {
        var rest = number
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// A number as both formats read it.
    mutating func append(_ number: Double) {
        if number.isNaN {
            append("NaN")
        } else if number.isInfinite {
            append(number < 0 ? "-Inf" : "+Inf")
        } else {
            append("\(number)")
        }
    }

    mutating func append(_ id: RuleID) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: id.rawValue >> UInt64(shift) & 15)
            bytes.append(digit < 10 ? digit + UInt8(ascii: "0") : digit + UInt8(ascii: "a") - 10)
        }
    }

    /// The value of a label: backslashes, quotes and line feeds have to be escaped.
    mutating func append(escaped text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(UInt8(ascii: "n"))
            default: bytes.append(byte)
            }
        }
    }

    /// The name and the labels of a sample, up to its value.
    mutating func begin(_ name: String, _ labels: [(name: String, value: String)] = []) {
        append(name)
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append(label.name)
            append("=\"")
            append(escaped: label.value)
            append("\"")
        }
        append(labels.isEmpty ? " " : "} ")
    }

    mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }
}
