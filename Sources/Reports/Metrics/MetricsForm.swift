/// How metrics are written down.
public enum MetricsForm: Hashable, Sendable, CaseIterable {
    /// The text format 0.0.4 that Prometheus has always read.
    case prometheus
    /// OpenMetrics 1.0.0, the standard that came out of it.
    case openMetrics

    /// What a `Content-Type` header says.
    public var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}
