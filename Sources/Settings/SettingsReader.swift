internal import Agent
internal import Policy
internal import Sinks

/// Turns what was written into values.
struct SettingsReader {
    private let sources: SettingsSources

    init(_ sources: SettingsSources) { self.sources = sources }

    func text(_ key: SettingKey) throws(SettingsError) -> String? {
        guard case .text(let text) = try sources.resolve(key).value, !text.isEmpty else {
            return nil
        }
        return text
    }

    func list(_ key: SettingKey) throws(SettingsError) -> [String] {
        guard case .list(let items) = try sources.resolve(key).value else { return [] }
        return items
    }

    /// Something that there is always one of.
    func path(_ key: SettingKey) throws(SettingsError) -> String {
        guard let path = try text(key) else {
            throw SettingsError(
                "'\(key.name)' is empty", fix: "write a path, or leave the key away",
                at: try sources.resolve(key).place)
        }
        return path
    }

    func parsed<Value>(
        _ key: SettingKey, _ problem: String, fix: String, _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value? {
        guard let text = try text(key) else { return nil }
        guard let value = parse(text) else {
            throw SettingsError(
                "\(key.name): '\(text)' \(problem)", fix: fix, at: try sources.resolve(key).place)
        }
        return value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: SettingKey, _: Choice.Type
    ) throws(SettingsError) -> Choice where Choice.RawValue == String {
        let text = try path(key)
        guard let choice = Choice(rawValue: text) else {
            throw strange(text, Choice.allCases.map(\.rawValue), try sources.resolve(key).place)
        }
        return choice
    }

    func pids() throws(SettingsError) -> [Int32] {
        var pids: [Int32] = []
        for text in try list(.pids) {
            guard let pid = Int32(text), pid > 0 else {
                throw SettingsError(
                    "'\(text)' is no process", fix: "write the numbers of processes",
                    at: try sources.resolve(.pids).place)
            }
            pids.append(pid)
        }
        return pids
    }

    /// A run of bits, wide enough for some endpoints.
    func mask(_ key: SettingKey) throws(SettingsError) -> UInt32 {
        let mask = try parsed(
            key, "is no mask",
            fix: "give one run of at least 8 bits in hexadecimal, such as 0xffff0000"
        ) { text -> UInt32? in
            let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
            guard let mask = UInt32(digits, radix: 16), mask.nonzeroBitCount >= 8 else {
                return nil
            }
            let run = mask >> UInt32(mask.trailingZeroBitCount)
            return run & (run &+ 1) == 0 ? mask : nil
        }
        return mask ?? 0xffff_0000
    }

    private func strange(
        _ text: String, _ choices: [String], _ place: String
    ) -> SettingsError {
        let list = choices.joined(separator: ", ")
        let fix = choices.nearest(to: text).map { "write '\($0)', or another of \(list)" }
        return SettingsError(
            "'\(text)' is not known here", fix: fix ?? "write one of \(list)", at: place)
    }
}

/// Where events are written to.
extension SettingsReader {
    func sinks() throws(SettingsError) -> [SinkOptions] {
        var sinks: [SinkOptions] = []
        let isEnabled = try parsed(
            .stdoutEnabled, "is neither true nor false", fix: "write true or false"
        ) { ["true": true, "false": false, "1": true, "0": false][$0] }
        if isEnabled == true { sinks.append(try options(.standardOutput, "stdout")) }
        if let path = try text(.filePath) {
            let maxBytes = try parsed(
                .fileMaxBytes, "is no size of a file", fix: "write a number of bytes, or 64MiB"
            ) { Self.bytes($0) }
            let keep = try number(.fileKeep, 0...1000)
            sinks.append(
                try options(
                    .file(path: path, maxBytes: maxBytes ?? 64 << 20, keep: keep), "file"))
        }
        let address = try parsed(
            .syslogAddress, "is no syslog server",
            fix: "write unix:/dev/log, udp:HOST:514 or tcp:HOST:601"
        ) { SyslogAddress(parsing: $0) }
        if let address {
            let facility = try choice(.syslogFacility, SyslogFacility.self)
            sinks.append(try options(.syslog(address, facility: facility), "syslog"))
        }
        return sinks
    }

    private func options(
        _ target: SinkOptions.Target, _ name: String
    ) throws(SettingsError) -> SinkOptions {
        let keys = SettingKey.common(name)
        var events: Set<SinkEvent> = []
        for word in try list(keys.events) {
            guard let event = SinkEvent(rawValue: word) else {
                throw strange(
                    word, SinkEvent.allCases.map(\.rawValue),
                    try sources.resolve(keys.events).place)
            }
            events.insert(event)
        }
        return SinkOptions(
            target, events: events, queue: try number(keys.queue, 1...1_000_000),
            rate: try number(keys.rate, 0...1_000_000))
    }

    private func number(
        _ key: SettingKey, _ range: ClosedRange<Int>
    ) throws(SettingsError) -> Int {
        let fix = "write a number from \(range.lowerBound) to \(range.upperBound)"
        let number = try parsed(key, "is out of range", fix: fix) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
        guard let number else {
            throw SettingsError(
                "'\(key.name)' is empty", fix: fix, at: try sources.resolve(key).place)
        }
        return number
    }

    /// `65536`, `64KiB`, `64MiB` or `1GiB`; a file of less than 4 KiB would rotate all the time.
    private static func bytes(_ text: String) -> Int? {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        let unit = units.first { text.hasSuffix($0.0) }
        let digits = unit == nil ? text[...] : text.dropLast(3)
        guard let number = Int(digits), (1...(1 << 31)).contains(number) else { return nil }
        let bytes = number << (unit?.1 ?? 0)
        return bytes >= 4096 ? bytes : nil
    }
}
