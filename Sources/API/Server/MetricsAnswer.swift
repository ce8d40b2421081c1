import Hummingbird
import Reports

extension MetricsForm {
    /// The form that a request's `Accept` header likes best; the old one where it likes both alike.
    init(for request: Request) {
        self.init(accepting: request.headers[values: .accept].joined(separator: ","))
    }

    init(accepting header: String) {
        var best: [MetricsForm: Double] = [:]
        for part in header.split(separator: ",") {
            let words = part.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let type = words.first else { continue }
            let quality =
                words.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
                ?? 1
            let forms: [MetricsForm] =
                switch type {
                case "application/openmetrics-text":
                    words.contains { $0.hasPrefix("version=") && $0 != "version=1.0.0" }
                        ? [] : [.openMetrics]
                case "text/plain", "text/*": [.prometheus]
                default: []
                }
            for form in forms { best[form] = max(best[form] ?? 0, quality) }
        }
        self = (best[.openMetrics] ?? 0) > (best[.prometheus] ?? 0) ? .openMetrics : .prometheus
    }
}

extension Response {
    /// Writes a page piece by piece, as fast as it is read.
    init(_ page: MetricsPage, as form: MetricsForm) {
        self.init(
            status: .ok, headers: [.contentType: form.contentType],
            body: ResponseBody { writer in
                for piece in page { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            })
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return text
    }
}
