internal import Configuration
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Policy
internal import Yams

/// A configuration file, and where in it each key stands.
///
/// JSON is YAML as well.
struct SettingsFile: Sendable {
    let path: String
    let snapshot: YAMLSnapshot
    private let places: [String: Place]

    private struct Place {
        let line: Int
        let column: Int
    }

    /// Reads a file; nil where there is none and none has to be.
    init?(_ path: String, isRequired: Bool) throws(SettingsError) {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else {
            // Whoever wrote a file that can't be read means it to count.
            let isThere = access(path, F_OK) == 0
            guard isRequired || isThere else { return nil }
            throw SettingsError(
                isThere ? "the file can't be read" : "there is no such file",
                fix: isThere ? "let the agent's user read it" : "write it, or leave --config away",
                at: path)
        }
        try Self.requireTrust(path)
        let root: Node?
        do {
            root = try Parser(yaml: data).singleRoot()
        } catch {
            let mark = (error as? YamlError).flatMap(Self.mark)
            throw SettingsError(
                "this is no YAML: \(error)".split(separator: "\n").first.map(String.init) ?? "",
                fix: "write 'key: value' lines, lists as [a, b]",
                at: mark.map { "\(path):\($0.line):\($0.column)" } ?? path)
        }
        // A file with nothing but comments says nothing.
        let isEmpty = root == nil || root?.scalar?.string.isEmpty == true
        var places: [String: Place] = [:]
        if let root, !isEmpty {
            guard case .mapping(let mapping) = root else {
                throw SettingsError(
                    "the file is no mapping", fix: "write 'key: value' lines", at: "\(path):1:1")
            }
            try Self.walk(mapping, "", in: path, into: &places)
        }
        self.places = places
        do {
            let bytes = isEmpty ? Data("{}".utf8) : data
            snapshot = try YAMLSnapshot(
                data: bytes.bytes, providerName: path, parsingOptions: .default)
        } catch {
            throw SettingsError("\(error)", fix: "write scalars and lists of them", at: path)
        }
    }

    /// Where a key stands: `FILE:LINE:COLUMN`.
    func place(of key: String) -> String {
        places[key].map { "\(path):\($0.line):\($0.column)" } ?? path
    }

    /// The file says where policies are and what is written where: the same people are believed
    /// as with policies.
    private static func requireTrust(_ path: String) throws(SettingsError) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        let isForeign = status.st_uid != 0 && status.st_uid != geteuid()
        guard isForeign || status.st_mode & 0o022 != 0 else { return }
        throw SettingsError(
            isForeign
                ? "the file belongs to somebody else (uid \(status.st_uid))"
                : "others than its owner may write to the file",
            fix: isForeign ? "chown root \(path)" : "chmod go-w \(path)", at: path)
    }

    private static func mark(_ error: YamlError) -> Mark? {
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _),
            .composer(_, _, let mark, _):
            mark
        default: nil
        }
    }

    /// Notes the places of keys, and refuses what is no key.
    private static func walk(
        _ mapping: Node.Mapping, _ prefix: String, in path: String,
        into places: inout [String: Place]
    ) throws(SettingsError) {
        for (key, value) in mapping {
            let mark = key.mark
            let (line, column) = (mark?.line ?? 1, mark?.column ?? 1)
            let place = "\(path):\(line):\(column)"
            guard let word = key.string else {
                throw SettingsError(
                    "a key is no word", fix: "write one of \(words(at: prefix))", at: place)
            }
            let name = prefix.isEmpty ? word : prefix + "." + word
            let isGroup = SettingKey.all.contains { $0.name.hasPrefix(name + ".") }
            let isKey = SettingKey.all.contains { $0.name == name }
            guard isGroup || isKey else { throw unknown(name, word, prefix, at: place) }
            guard places[name] == nil else {
                throw SettingsError(
                    "'\(name)' is written twice", fix: "leave one of them out", at: place)
            }
            places[name] = Place(line: line, column: column)
            switch value {
            case .mapping(let inner) where isGroup:
                try walk(inner, name, in: path, into: &places)
            case .mapping:
                throw SettingsError(
                    "'\(name)' has no keys of its own", fix: "write a value", at: place)
            case _ where isGroup:
                throw SettingsError(
                    "'\(name)' is no value", fix: "write keys below it: \(words(at: name))",
                    at: place)
            default: break
            }
        }
    }

    private static func unknown(
        _ name: String, _ word: String, _ prefix: String, at place: String
    ) -> SettingsError {
        let nearest = choices(at: prefix).nearest(to: word)
        return SettingsError(
            "there is no key '\(name)'",
            fix: nearest.map { "write '\($0)'" } ?? "write one of \(words(at: prefix))", at: place)
    }

    /// The words that may stand on a level.
    private static func choices(at prefix: String) -> [String] {
        let start = prefix.isEmpty ? "" : prefix + "."
        var seen: Set<String> = []
        return SettingKey.all.filter { $0.name.hasPrefix(start) }
            .map { String($0.name.dropFirst(start.count).prefix { $0 != "." }) }
            .filter { seen.insert($0).inserted }
    }

    private static func words(at prefix: String) -> String {
        choices(at: prefix).joined(separator: ", ")
    }
}
