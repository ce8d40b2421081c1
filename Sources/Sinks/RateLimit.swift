/// So many a second on average, and as many at once.
struct RateLimit {
    private let rate: Int
    private var left: Double
    private var last: ContinuousClock.Instant?

    /// - Parameter rate: How many a second; 0 is any number.
    init(_ rate: Int) {
        self.rate = rate
        left = Double(rate)
    }

    /// Whether one more is within the limit; counts it if it is.
    mutating func take(_ now: ContinuousClock.Instant) -> Bool {
        guard rate > 0 else { return true }
        if let last {
            let (seconds, attoseconds) = (now - last).components
            let passed = Double(seconds) + Double(attoseconds) / 1e18
            left = min(Double(rate), left + passed * Double(rate))
        }
        last = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
