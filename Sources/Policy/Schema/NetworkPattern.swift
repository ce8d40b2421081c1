/// Networks and port ranges as regular expressions of JSON Schema.
enum NetworkPattern {
    static let network = "^(\(v4)(/\(v4Length))?|\(v6)(/\(v6Length))?)$"

    static let address = "^(\(v4)|\(v6))$"

    static let portRange = "^\(port)-\(port)$"

    private static let port =
        "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

    private static let v4Length = "(3[0-2]|[12]?[0-9])"
    private static let v6Length = "(12[0-8]|1[01][0-9]|[1-9]?[0-9])"

    private static let byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    private static let v4 = "(\(byte)\\.){3}\(byte)"
    private static let group = "[0-9A-Fa-f]{1,4}"
    private static let v6 = "(\((full + shortened).joined(separator: "|")))"

    /// Eight groups, the last two of which may be a dotted quad.
    private static let full = ["(\(group):){7}\(group)", "(\(group):){6}\(v4)"]

    /// `::` for one group or more, by the number of groups before it.
    private static let shortened = (0...7).flatMap { before in
        let head = before == 0 ? ":" : "(\(group):){\(before)}"
        let rest = 7 - before
        let groups = rest == 0 ? "\(head):" : "\(head)(:\(group)){0,\(rest)}"
        // Without groups after it, the head's own colon is only one of the two.
        let tail = rest == 0 ? [groups] : ["\(head)(:\(group)){1,\(rest)}", "\(head):"]
        let quad = rest < 2 ? [] : ["\(head):(\(group):){0,\(rest - 2)}\(v4)"]
        return tail + quad
    }
}
