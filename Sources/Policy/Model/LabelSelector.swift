/// The labels of a tenant or an endpoint.
public typealias Labels = [String: String]

/// A condition on labels; every part of it must hold.
public struct LabelSelector: Hashable, Sendable {
    /// One line of `matchExpressions`.
    public enum Requirement: Hashable, Sendable {
        case isIn(key: String, values: [String])
        /// Holds as well where the label is absent.
        case isNotIn(key: String, values: [String])
        case exists(key: String)
        case doesNotExist(key: String)
    }

    public let matchLabels: Labels
    public let requirements: [Requirement]

    public init(matchLabels: Labels = [:], requirements: [Requirement] = []) {
        self.matchLabels = matchLabels
        self.requirements = requirements
    }

    /// Whether the labels fulfil every part.
    public func matches(_ labels: Labels) -> Bool { unmet(by: labels) == nil }

    /// The first part that the labels don't fulfil, in words such as `env=prod`.
    public func unmet(by labels: Labels) -> String? {
        for (key, value) in matchLabels.sorted(by: { $0.key < $1.key }) where labels[key] != value {
            return "\(key)=\(value)"
        }
        return requirements.first { !$0.holds(for: labels) }?.description
    }
}

extension LabelSelector.Requirement: CustomStringConvertible {
    func holds(for labels: Labels) -> Bool {
        switch self {
        case .isIn(let key, let values): labels[key].map(values.contains) ?? false
        case .isNotIn(let key, let values): !(labels[key].map(values.contains) ?? false)
        case .exists(let key): labels[key] != nil
        case .doesNotExist(let key): labels[key] == nil
        }
    }

    public var description: String {
        switch self {
        case .isIn(let key, let values): "\(key) in (\(values.joined(separator: ", ")))"
        case .isNotIn(let key, let values): "\(key) not in (\(values.joined(separator: ", ")))"
        case .exists(let key): "\(key)"
        case .doesNotExist(let key): "!\(key)"
        }
    }
}

extension LabelSelector: CustomStringConvertible {
    public var description: String {
        let labels = matchLabels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return (labels + requirements.map(\.description)).joined(separator: ", ")
    }
}
