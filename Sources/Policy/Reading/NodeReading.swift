internal import YAML

/// Turns the events of a text into the values that the readers take, and refuses what policy files
/// don't use of YAML: anchors, tags, keys that aren't text, keys that stand twice, depth.
struct NodeReading {
    /// The format itself needs 7.
    private static let greatestDepth = 16

    private(set) var findings = Findings()
    /// Whether a part was left out, so that reading the rest would only mislead.
    private(set) var isTooDeep = false
    private let path: String
    private let part: TextScan.Part
    private let events: YAMLEvents
    private var depth = 0

    init(_ text: ArraySlice<UInt8>, path: String, part: TextScan.Part) {
        self.path = path
        self.part = part
        events = YAMLEvents(text)
    }

    /// The documents; those that were refused are left out.
    mutating func documents() throws(YAMLError) -> [SourceNode] {
        var documents: [SourceNode] = []
        while let event = try events.next() {
            switch event.kind {
            case .documentStart, .documentEnd: continue
            default: if let node = try node(event) { documents.append(node) }
            }
        }
        return documents
    }

    /// What the event begins, as a value; nil if it was refused.
    private mutating func node(_ event: YAMLEvent) throws(YAMLError) -> SourceNode? {
        let place = place(event.mark)
        guard depth < Self.greatestDepth else {
            isTooDeep = true
            findings.report(
                "lists and mappings are nested too deep",
                fix: "write the flat form that docs/policy-format.md shows", at: place)
            try skip(event)
            return nil
        }
        depth += 1
        defer { depth -= 1 }
        if event.hasAnchor { refuseAnchor(at: place) }
        switch event.kind {
        case .scalar(let text, let isPlain):
            if let tag = event.tag, isPlain || !Self.tagsOfQuoted.contains(tag) {
                refuseTag(tag, at: place)
            }
            return SourceNode(content: .scalar(text, isPlain: isPlain), place: place)
        case .listStart:
            if let tag = event.tag { refuseTag(tag, at: place) }
            return SourceNode(content: .list(try items()), place: place)
        case .mappingStart:
            if let tag = event.tag { refuseTag(tag, at: place) }
            return SourceNode(content: .mapping(try entries()), place: place)
        default: throw Self.unexpected(event)
        }
    }

    /// What text in quotes is anyway.
    private static let tagsOfQuoted: Set = ["!", "tag:yaml.org,2002:str"]

    /// The next event of something that has begun.
    private func next() throws(YAMLError) -> YAMLEvent {
        // The grammar ends everything that it began before it ends the text.
        guard let event = try events.next() else {
            throw YAMLError("unexpected end", at: nil)
        }
        return event
    }

    /// Reads past what the event begins.
    private func skip(_ event: YAMLEvent) throws(YAMLError) {
        var open = 0
        var event = event
        while true {
            switch event.kind {
            case .listStart, .mappingStart: open += 1
            case .listEnd, .mappingEnd: open -= 1
            case .alias: throw Self.unexpected(event)
            default: break
            }
            if open == 0 { return }
            event = try next()
        }
    }

    /// An alias names what stands elsewhere; one that something is marked for never comes this far.
    private static func unexpected(_ event: YAMLEvent) -> YAMLError {
        YAMLError("found undefined alias", at: event.mark)
    }

    private func place(_ mark: YAMLMark) -> SourcePlace {
        SourcePlace(file: path, line: mark.line + part.firstLine - 1, column: mark.column)
    }
}

// Lists and mappings.
extension NodeReading {
    private mutating func items() throws(YAMLError) -> [SourceNode] {
        var items: [SourceNode] = []
        while true {
            let event = try next()
            if case .listEnd = event.kind { return items }
            if let item = try node(event) { items.append(item) }
        }
    }

    private mutating func entries() throws(YAMLError) -> [SourceNode.Entry] {
        var entries: [SourceNode.Entry] = []
        // A mapping of the format has a dozen keys at most; a dictionary pays off later.
        var places: [String: SourcePlace] = [:]
        while true {
            let key = try next()
            if case .mappingEnd = key.kind { return entries }
            try skip(key)
            let value = try node(try next())
            guard let name = name(key), let value else { continue }
            let place = place(key.mark)
            if entries.count == 16 {
                for entry in entries { places[entry.key] = entry.keyPlace }
            }
            let first =
                places.isEmpty ? entries.first { $0.key == name }?.keyPlace : places[name]
            if let first {
                refuseDuplicate(name, at: place, first: first)
            } else {
                if !places.isEmpty { places[name] = place }
                entries.append(SourceNode.Entry(key: name, keyPlace: place, value: value))
            }
        }
    }

    private mutating func name(_ event: YAMLEvent) -> String? {
        let place = place(event.mark)
        if event.hasAnchor { refuseAnchor(at: place) }
        guard case .scalar(let key, let isPlain) = event.kind else {
            findings.report(
                "a key is one word of text, and here stands a list or a mapping",
                fix: "write 'KEY: VALUE'", at: place)
            return nil
        }
        guard isPlain else { return key }
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
extension NodeReading {
    private mutating func refuseAnchor(at place: SourcePlace) {
        findings.report(
            "an anchor ('&' and a name) stands here, and policy files use none",
            fix: "delete it, or put the text in quotes if it should start with '&'", at: place)
    }

    private mutating func refuseTag(_ tag: String, at place: SourcePlace) {
        findings.report(
            "the tag \(tag.quoted) stands here, and policy files use none",
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
