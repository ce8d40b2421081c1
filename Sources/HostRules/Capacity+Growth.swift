/// How maps grow and shrink.
extension Capacity {
    /// The maximum: what would need more is refused.
    ///
    /// A full set of hashes takes about 700 MB of kernel memory and the counters of the rules
    /// 24 MB for each processor; the flow table takes 139 MB.
    public static let most = Capacity(
        endpoints: 65_535, own: 1 << 20, peers: 1 << 22, networks: 1 << 22, shapes: 1 << 21,
        admissions: 1 << 22, rules: 1 << 20, flows: 1 << 20)

    private typealias Part = (name: String, path: any WritableKeyPath<Capacity, Int> & Sendable)

    private static let parts: [Part] = [
        ("endpoints", \.endpoints), ("own", \.own), ("peers", \.peers),
        ("networks", \.networks), ("shapes", \.shapes), ("admissions", \.admissions),
        ("rules", \.rules), ("flows", \.flows),
    ]

    /// The first map that is too small for a need; nil if all are large enough.
    ///
    /// - Parameter need: How many entries each map has to hold.
    /// - Returns: The map's name, the entries needed, and the entries that it holds at most.
    public func shortage(for need: Capacity) -> (map: String, entries: Int, capacity: Int)? {
        let short = Self.parts.first { need[keyPath: $0.path] > self[keyPath: $0.path] }
        return short.map { ($0.name, need[keyPath: $0.path], self[keyPath: $0.path]) }
    }

    /// Larger maps for a need: those that are too small get headroom, the others stay.
    ///
    /// - Parameter need: How many entries each map has to hold.
    /// - Returns: Never above `most`.
    public func grown(for need: Capacity) -> Capacity {
        replacing(by: need.withHeadroom) { path, _ in need[keyPath: path] > self[keyPath: path] }
    }

    /// Smaller maps for a need: those that have sixteen times the room or more shrink to the need
    /// and its headroom, the others stay.
    ///
    /// The flow table stays: flows are worth more than its memory.
    ///
    /// - Parameter need: How many entries each map has to hold.
    /// - Returns: Never below `need`.
    public func shrunk(for need: Capacity) -> Capacity {
        replacing(by: need.withHeadroom) { path, target in
            path != \.flows && self[keyPath: path] >= 8 * target
        }
    }

    /// The larger of both in each map.
    ///
    /// - Parameter other: Another number of entries for each map.
    /// - Returns: The maximum of each part.
    public func union(_ other: Capacity) -> Capacity {
        replacing(by: other) { path, value in value > self[keyPath: path] }
    }

    /// The same with no map above its maximum.
    ///
    /// - Parameter most: The maximum of each map.
    /// - Returns: The smaller of both in each map.
    public func limited(to most: Capacity = .most) -> Capacity {
        replacing(by: most) { path, most in self[keyPath: path] > most }
    }

    public static func + (left: Capacity, right: Capacity) -> Capacity {
        combine(left, right, +)
    }

    public static func - (left: Capacity, right: Capacity) -> Capacity {
        combine(left, right, -)
    }

    private static func combine(
        _ left: Capacity, _ right: Capacity, _ operation: (Int, Int) -> Int
    ) -> Capacity {
        var result = left
        for (_, path) in parts {
            result[keyPath: path] = operation(left[keyPath: path], right[keyPath: path])
        }
        return result
    }

    private func replacing(
        by other: Capacity, where isWanted: (WritableKeyPath<Capacity, Int>, Int) -> Bool
    ) -> Capacity {
        var result = self
        for (_, path) in Self.parts where isWanted(path, other[keyPath: path]) {
            result[keyPath: path] = other[keyPath: path]
        }
        return result
    }
}

extension HostEntries {
    /// How many entries each map holds of it; without the endpoint itself and its flows.
    public var size: Capacity {
        Capacity(
            own: own.count, peers: peers.count, networks: networks.count, shapes: shapes.count,
            admissions: admissions.count, rules: rules.count)
    }
}
