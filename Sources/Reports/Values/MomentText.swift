public import NetTypes

extension Timestamp {
    /// Reads a moment as people write it: a time in UTC such as `2026-01-31T09:00:00`, or how long
    /// ago it was: `45s`, `10m`, `2h`, `1d`, `1w`.
    ///
    /// - Parameters:
    ///   - text: What was written.
    ///   - now: What "ago" counts from.
    public init?(_ text: String, now: Timestamp) {
        if let moment = Timestamp(text) {
            self = moment
            return
        }
        let units: [Character: Int64] = [
            "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800,
        ]
        guard let unit = text.last.flatMap({ units[$0] }),
            text.dropLast().utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= $0 }),
            let number = Int64(text.dropLast())
        else { return nil }
        let (ago, isTooLong) = number.multipliedReportingOverflow(by: unit * 1000)
        let (moment, isTooEarly) = now.milliseconds.subtractingReportingOverflow(ago)
        guard !isTooLong, !isTooEarly else { return nil }
        self.init(milliseconds: moment)
    }
}
