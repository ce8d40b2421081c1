extension DocumentReader {
    /// Which namespaces are the tenant's; there may be none.
    mutating func claims(_ node: SourceNode) -> [EndpointClaim] {
        let items = items(node, of: "endpoints", example: "endpoints: [{namespace: shop-*}]")
        return (items ?? []).compactMap { claim($0) }
    }

    private mutating func claim(_ node: SourceNode) -> EndpointClaim? {
        let targets = ["namespace", "path", "pid"]
        guard
            let fields = fields(
                node, of: "an endpoint", keys: targets + ["labels"],
                example: "- namespace: shop-*")
        else { return nil }
        let labels = fields["labels"].map { self.labels($0) } ?? [:]
        let named = fields.entries.filter { targets.contains($0.key) }
        guard let target = named.first else {
            return report(
                "an endpoint needs one of namespace, path and pid",
                fix: "add 'namespace: NAME'", at: node.place)
        }
        guard named.count == 1 else {
            return report(
                "an endpoint has one of namespace, path and pid, and '\(target.key)' stands already",
                fix: "make it two endpoints", at: named[1].keyPlace)
        }
        return self.target(target)
            .map { EndpointClaim(target: $0, labels: labels, place: node.place) }
    }

    private mutating func target(_ entry: SourceNode.Entry) -> EndpointClaim.Target? {
        switch entry.key {
        case "namespace": mount(entry.value).map { .name($0) }
        case "path": path(entry.value).map { .path($0) }
        default: number(entry.value, "pid", in: PathForm.pids).map { .pid(Int32($0)) }
        }
    }

    private mutating func mount(_ node: SourceNode) -> String? {
        guard let text = text(node, "namespace") else { return nil }
        if PathForm.admitsGlob(text) { return text }
        return report(
            "namespace is \(text.quoted), and must be the name of a mount or a glob such as shop-*,"
                + " with every '[' closed and without '/' and '\\'",
            fix: text.hasPrefix("/") ? "write 'path: \(text)'" : "write 'namespace: NAME'",
            at: node.place)
    }

    private mutating func path(_ node: SourceNode) -> String? {
        guard let text = text(node, "path") else { return nil }
        if PathForm.admitsPath(text) { return text }
        return report(
            "path is \(text.quoted), and must be absolute, without '.', '..' and empty parts",
            fix: text.contains("/")
                ? "write it as in 'path: /run/ns/shop1'" : "write 'namespace: \(text)'",
            at: node.place)
    }
}

/// How paths and names of namespace mounts are spelled.
enum PathForm {
    /// Up to the kernel's greatest `pid_max`.
    static let pids = 1...4_194_304

    static let greatestPath = 4095
    static let greatestName = 255

    /// What `admitsGlob` says, as a regular expression of JSON Schema.
    static let globPattern =
        #"^(?!\.{1,2}$)([^/\[\\\u0000-\u001f\u007f]|\[(![^/\[\\\u0000-\u001f\u007f]"#
        + #"|[^!/\[\\\u0000-\u001f\u007f])[^\]/\[\\\u0000-\u001f\u007f]*\])+$"#

    /// What `admitsPath` says.
    static let pathPattern = #"^(/(?!\.{1,2}(/|$))[^/\u0000-\u001f\u007f]+)+$"#

    static func admitsGlob(_ text: String) -> Bool {
        guard !text.isEmpty, text.unicodeScalars.count <= greatestName, text != ".", text != "..",
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }),
            !text.utf8.contains(UInt8(ascii: "\\"))
        else { return false }
        return Glob(text) != nil
    }

    static func admitsPath(_ text: String) -> Bool {
        guard text.utf8.first == UInt8(ascii: "/"),
            text.unicodeScalars.count <= greatestPath,
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { return false }
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
