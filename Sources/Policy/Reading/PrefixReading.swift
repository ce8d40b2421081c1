import NetTypes

extension DocumentReader {
    /// A network such as 10.0.0.0/8.
    mutating func prefix(_ node: SourceNode, _ what: String) -> Prefix? {
        guard let text = text(node, what) else { return nil }
        do {
            return try Prefix(parsing: text)
        } catch {
            let (message, fix) = Self.explain(error, in: text)
            return report("\(what) \(message)", fix: fix, at: node.place)
        }
    }

    private static func explain(_ error: Prefix.ParseError, in text: String) -> (String, String) {
        switch error {
        case .notAnAddress(let address) where address.contains("%"):
            let bare = String(address.prefix { $0 != "%" })
            return ("\(text.quoted) names a zone, which means nothing here", "write '\(bare)'")
        case .notAnAddress(let address):
            return (
                "\(text.quoted) is no network: \(address.quoted) is neither an IPv4 nor an IPv6 address",
                "write ADDRESS/LENGTH, such as 10.0.0.0/8 or fd00::/8"
            )
        case .badLength(let length, let greatest):
            return (
                "\(text.quoted) has the length \(length.quoted), and must have 0 to \(greatest)",
                "write ADDRESS/LENGTH, such as "
                    + (greatest == 32 ? "10.0.0.0/8" : "fd00::/8")
            )
        case .hostBitsSet(let instead):
            return (
                "\(text.quoted) has bits set beyond its length",
                "write '\(instead)' for the network, or '\(text.prefix { $0 != "/" })' for the address"
            )
        }
    }

    /// `cidr` with what it leaves out.
    mutating func network(_ fields: Fields, _ node: SourceNode) -> Peer? {
        let prefix = prefix(node, "cidr")
        guard let list = fields["except"] else { return prefix.map { .network($0, except: []) } }
        let items = items(
            list, of: "except", example: "except: [192.0.2.8/29]",
            ifEmpty: "list a network, or delete 'except'")
        var except: [Prefix] = []
        for item in items ?? [] {
            guard let hole = self.prefix(item, "except") else { continue }
            if let prefix { checkHole(hole, in: prefix, at: item.place) }
            except.append(hole)
        }
        return prefix.map { .network($0, except: except) }
    }

    private mutating func checkHole(_ hole: Prefix, in prefix: Prefix, at place: SourcePlace) {
        if hole == prefix {
            report(
                "except leaves nothing of \(prefix)", fix: "delete the peer, or except less",
                at: place)
        } else if hole.address.family != prefix.address.family {
            report(
                "except \(hole) is of another family than \(prefix)",
                fix: "write networks inside \(prefix), or delete it", at: place)
        } else if hole.length < prefix.length || !prefix.contains(hole.address) {
            report(
                "except \(hole) does not lie inside \(prefix)",
                fix: "write networks inside \(prefix), or delete it", at: place)
        }
    }
}
