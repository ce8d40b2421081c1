internal import CNetfilter

extension NetfilterSocket {
    /// Asks nf_tables for objects, for readers that give the answers a meaning of their own.
    ///
    /// - Parameters:
    ///   - type: NFT_MSG_GET*.
    ///   - family: NFPROTO_*; 0 is every one.
    ///   - names: Attributes of text that restrict the question, by number.
    ///   - isDump: Whether the answer is a list, which is asked for again when it was interrupted.
    /// - Returns: The messages of the answer.
    /// - Throws: What the kernel refused.
    package func answers(
        type: UInt16, family: UInt8, names: KeyValuePairs<UInt16, String> = [:], isDump: Bool = true
    ) throws(NftablesError) -> [Message] {
        let subject = Subject(type: Message.nfTables << 8 | type, family: family)
        func build(_ header: UnsafeMutablePointer<nlmsghdr>) {
            for (number, name) in names { mnl_attr_put_strz(header, number, name) }
        }
        if isDump { return try dump(subject, build: build) }
        return try get(subject, build: build).map { [$0] } ?? []
    }
}
