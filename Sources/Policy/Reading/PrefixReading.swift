import NetTypes

extension DocumentReader {
    /// A network such as 10.0.0.0/8.
    mutating func prefix(_ node: SourceNode, _ what: String) -> Prefix? {
        guard let text = text(node, what) else { return nil }
        do {
            let prefix = try Prefix(parsing: text)
            // Left out of a larger network it does no harm: lists of reserved networks hold these.
            if what != "except", let (reason, fix) = Self.emptiness(of: prefix) {
                return report("\(what) \(text.quoted) \(reason)", fix: fix, at: node.place)
            }
            return prefix
        } catch {
            let (message, fix) = Self.explain(error, in: text)
            return report("\(what) \(message)", fix: fix, at: node.place)
        }
    }

    /// The length that a netmask such as 255.255.0.0 stands for.
    private static func length(ofMask text: String) -> Int? {
        guard case .v4(let mask)? = IPAddress(text), ~mask & (~mask &+ 1) == 0 else { return nil }
        return mask.nonzeroBitCount
    }

    private static func isHostName(_ text: String) -> Bool {
        text.utf8.contains(where: \.isLetter) && !text.utf8.contains(UInt8(ascii: ":"))
            && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "-._".utf8.contains($0) }
    }

    private static func explain(_ error: Prefix.ParseError, in text: String) -> (String, String) {
        switch error {
        case .notAnAddress(let address) where address.contains("%"):
            let bare = String(address.prefix { $0 != "%" })
            return ("\(text.quoted) names a zone, which means nothing here", "write '\(bare)'")
        case .notAnAddress(let address) where Self.isHostName(address):
            return (
                "\(text.quoted) is no network: host names are not resolved",
                "write the host's addresses, such as 192.0.2.1"
            )
        case .notAnAddress(let address):
            return (
                "\(text.quoted) is no network: \(address.quoted) is neither an IPv4 nor an IPv6 address",
                "write ADDRESS/LENGTH, such as 10.0.0.0/8 or fd00::/8"
            )
        case .badLength(let length, let greatest):
            let address = text.prefix { $0 != "/" }
            let example = Self.length(ofMask: length).map { "\(address)/\($0)" }
            return (
                "\(text.quoted) has the length \(length.quoted), and must have 0 to \(greatest)",
                example.map { "write '\($0)'" }
                    ?? "write ADDRESS/LENGTH, such as '\(address)/\(greatest)' for one address"
            )
        case .hostBitsSet(let instead):
            return (
                "\(text.quoted) has bits set beyond its length",
                "write '\(text.prefix { $0 != "/" })' for the address, or '\(instead)' for the network"
            )
        }
    }

    /// Why no packet that is judged ever has an address of the network, and what to do; nil where one
    /// may have.
    private static func emptiness(of prefix: Prefix) -> (reason: String, fix: String)? {
        if prefix.isLoopback {
            return (
                "can match nothing: loopback addresses never leave their namespace",
                "write the addresses that the packets have, or delete it"
            )
        }
        guard let mapped = prefix.mappedIPv4 else { return nil }
        return (
            "can match nothing: an IPv4-mapped address is in no packet (RFC 4291, 2.5.5.2)",
            "write '\(mapped)', which is what it stands for"
        )
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
        if let prefix,
            except.allSatisfy({ $0.length > prefix.length && prefix.contains($0.address) }),
            prefix.addresses.subtracting(AddressSet(except)).isEmpty
        {
            report(
                "except leaves nothing of \(prefix)", fix: "delete the peer, or except less",
                at: list.place)
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
