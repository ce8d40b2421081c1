internal import NetTypes

extension LiveRule {
    /// The element's comment in the kernel, such as `shop-to-db in #00f1…`: what a later agent
    /// needs to credit the counter, in a form that people can read.
    ///
    /// The kernel keeps 128 bytes of user data for an element (`NFT_USERDATA_MAXLEN` is 256, nft
    /// itself stops at 128), so a long policy name is cut.
    public var comment: String {
        let suffix = " \(direction == .ingress ? "in" : "out") #\(id)"
        let room = 120 - suffix.utf8.count
        return (policy.utf8.count <= room ? policy : String(policy.prefix(room))) + suffix
    }

    /// Reads what `comment` wrote; nil for anything else.
    public init?(comment: String) {
        let words = comment.split(separator: " ")
        guard words.count >= 3, let last = words.last, last.first == "#",
            let id = RuleID(last.dropFirst())
        else { return nil }
        switch words[words.count - 2] {
        case "in": direction = .ingress
        case "out": direction = .egress
        default: return nil
        }
        self.id = id
        policy = words.dropLast(2).joined(separator: " ")
    }
}
