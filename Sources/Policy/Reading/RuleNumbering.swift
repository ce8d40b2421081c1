import NetTypes

/// Gives the rules of one policy their ids.
///
/// An id depends on the policy's name and on what the rule says, never on where it stands or on the
/// order of lists that mean the same in any order. Rules that say the same are told apart by
/// counting them.
struct RuleNumbering {
    private let base: Digest
    private var counts: [UInt64: UInt32] = [:]

    init(policy: String, from: [Peer], to: [Peer]) {
        var digest = Digest()
        digest.combine(policy)
        digest.combine(unordered: from.map(\.digest))
        digest.combine(unordered: to.map(\.digest))
        base = digest
    }

    mutating func id(of service: Service) -> RuleID {
        var digest = base
        digest.combine(service)
        let ordinal = counts[digest.value, default: 0]
        counts[digest.value] = ordinal + 1
        digest.combine(ordinal)
        return RuleID(rawValue: digest.value)
    }
}

extension Digest {
    fileprivate mutating func combine(unordered digests: [UInt64]) {
        combine(digests.count)
        for digest in digests.sorted() { combine(digest) }
    }

    fileprivate mutating func combine(_ service: Service) {
        switch service {
        case .any: combine("any")
        case .other(let number):
            combine("other")
            combine(number.rawValue)
        case .messages(let number, let messages):
            combine("messages")
            combine(number.rawValue)
            for message in messages {
                combine(message.range.lowerBound)
                combine(message.range.upperBound)
            }
        case .ports(let number, let ports, let names):
            combine("ports")
            combine(number.rawValue)
            for range in ports.ranges {
                combine(range.lowerBound)
                combine(range.upperBound)
            }
            names.forEach { combine($0) }
        }
    }
}

extension Peer {
    fileprivate var digest: UInt64 {
        var digest = Digest()
        switch self {
        case .world: digest.combine("world")
        case .host: digest.combine("host")
        case .network(let prefix, let except):
            digest.combine("network")
            digest.combine("\(prefix)")
            digest.combine(unordered: except.map { Self.digest(of: "\($0)") })
        case .endpoints(of: .name(let name), let endpoints):
            digest.combine("tenant")
            digest.combine(name)
            digest.combine(unordered: endpoints?.digests ?? [])
        case .endpoints(of: .labels(let tenants), let endpoints):
            digest.combine("tenants")
            digest.combine(unordered: tenants.digests)
            digest.combine(unordered: endpoints?.digests ?? [])
        }
        return digest.value
    }

    fileprivate static func digest(of words: String...) -> UInt64 {
        var digest = Digest()
        words.forEach { digest.combine($0) }
        return digest.value
    }
}

extension LabelSelector {
    /// One number for each condition.
    fileprivate var digests: [UInt64] {
        matchLabels.map { Peer.digest(of: "=", $0.key, $0.value) } + requirements.map(\.digest)
    }
}

extension LabelSelector.Requirement {
    fileprivate var digest: UInt64 {
        switch self {
        case .isIn(let key, let values): digest("in", key, values)
        case .isNotIn(let key, let values): digest("not in", key, values)
        case .exists(let key): digest("exists", key, [])
        case .doesNotExist(let key): digest("does not exist", key, [])
        }
    }

    private func digest(_ operation: String, _ key: String, _ values: [String]) -> UInt64 {
        var digest = Digest()
        digest.combine(operation)
        digest.combine(key)
        digest.combine(unordered: values.map { Peer.digest(of: $0) })
        return digest.value
    }
}
