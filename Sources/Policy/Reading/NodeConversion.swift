import Yams

/// Turns composed nodes into the values that the readers take, and refuses what policy files don't
/// use of YAML: anchors, tags, keys that aren't text, keys that stand twice, depth.
struct NodeConversion {
    /// The format itself needs 7.
    private static let greatestDepth = 16

    private(set) var findings = Findings()
    /// Whether a part was left out, so that reading the rest would only mislead.
    private(set) var isTooDeep = false
    private let path: String
    private let part: TextScan.Part
    private let repairs: KeyRepairs
    private var depth = 0

    init(path: String, part: TextScan.Part, repairs: KeyRepairs) {
        self.path = path
        self.part = part
        self.repairs = repairs
    }

    /// The node as a value; nil if it was refused.
    mutating func node(_ node: Node) -> SourceNode? {
        let place = place(node.mark)
        guard depth < Self.greatestDepth else {
            isTooDeep = true
            findings.report(
                "lists and mappings are nested too deep",
                fix: "write the flat form that docs/policy-format.md shows", at: place)
            return nil
        }
        depth += 1
        defer { depth -= 1 }
        if node.anchor != nil { refuseAnchor(at: place) }
        switch node {
        case .scalar(let scalar): return self.scalar(scalar, at: place)
        case .sequence(let sequence):
            if !sequence.tag.description.isEmpty { refuseTag(sequence.tag, at: place) }
            return SourceNode(content: .list(sequence.compactMap { self.node($0) }), place: place)
        case .mapping(let mapping):
            if !mapping.tag.description.isEmpty { refuseTag(mapping.tag, at: place) }
            return SourceNode(content: .mapping(entries(of: mapping)), place: place)
        case .alias:
            refuseAnchor(at: place)
            return nil
        }
    }

    private func place(_ mark: Mark?) -> SourcePlace {
        SourcePlace(
            file: path, line: (mark?.line ?? 1) + part.firstLine - 1, column: mark?.column ?? 1)
    }

    private mutating func scalar(_ scalar: Node.Scalar, at place: SourcePlace) -> SourceNode {
        let isPlain = scalar.style == .plain
        let tag = scalar.tag.description
        // The composer gives quoted scalars this tag itself.
        if !tag.isEmpty, isPlain || tag != "tag:yaml.org,2002:str" {
            refuseTag(scalar.tag, at: place)
        }
        return SourceNode(content: .scalar(scalar.string, isPlain: isPlain), place: place)
    }
}

// Mappings.
extension NodeConversion {
    private mutating func entries(of mapping: Node.Mapping) -> [SourceNode.Entry] {
        var entries: [SourceNode.Entry] = []
        entries.reserveCapacity(mapping.count)
        var places: [String: SourcePlace] = [:]
        for (key, value) in mapping {
            let value = node(value)
            guard let name = self.key(key), let value else { continue }
            let place = place(key.mark)
            // A mapping of the format has a dozen keys at most; a dictionary pays off later.
            let first =
                mapping.count < 16
                ? entries.first { $0.key == name }?.keyPlace
                : places.updateValue(places[name] ?? place, forKey: name)
            if let first {
                refuseDuplicate(name, at: place, first: first)
            } else {
                entries.append(SourceNode.Entry(key: name, keyPlace: place, value: value))
            }
        }
        return entries
    }

    private mutating func key(_ node: Node) -> String? {
        let place = place(node.mark)
        if node.anchor != nil { refuseAnchor(at: place) }
        guard case .scalar(let scalar) = node, let mark = node.mark else {
            findings.report(
                "a key is one word of text, and here stands a list or a mapping",
                fix: "write 'KEY: VALUE'", at: place)
            return nil
        }
        let key = repairs.original(scalar.string, at: mark)
        if scalar.style != .plain { return key }
        if key == "<<" { return refuseMerge(at: place) }
        if case .text = PlainScalar(key) { return key }
        let found = SourceNode(content: .scalar(key, isPlain: true), place: place).found
        findings.report(
            "a key is text, and here stands \(found)",
            fix: key.isEmpty ? "write a key before the ':'" : "put the key in quotes: \"\(key)\"",
            at: place)
        return nil
    }
}

// What is refused.
extension NodeConversion {
    private mutating func refuseAnchor(at place: SourcePlace) {
        findings.report(
            "an anchor ('&' and a name) stands here, and policy files use none",
            fix: "delete it, or put the text in quotes if it should start with '&'", at: place)
    }

    private mutating func refuseTag(_ tag: Tag, at place: SourcePlace) {
        findings.report(
            "the tag \(tag.description.quoted) stands here, and policy files use none",
            fix: "delete it; text that looks like a number goes in quotes", at: place)
    }

    private mutating func refuseMerge(at place: SourcePlace) -> String? {
        findings.report(
            "a merge key ('<<') stands here, and policy files use none",
            fix: "write the keys out", at: place)
        return nil
    }

    private mutating func refuseDuplicate(
        _ key: String, at place: SourcePlace, first: SourcePlace
    ) {
        findings.report(
            "the key \(key.quoted) stands already in line \(first.line)", fix: "keep one of them",
            at: place)
    }
}
