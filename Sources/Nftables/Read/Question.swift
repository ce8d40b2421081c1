internal import CNetfilter
internal import Rules

/// The attributes that restrict a question to our own table; a host may have thousands of others.
enum Question {
    static func table(_ header: UnsafeMutablePointer<nlmsghdr>) {
        mnl_attr_put_strz(header, UInt16(NFTA_TABLE_NAME.rawValue), Program.tableName)
    }

    static func rules(_ header: UnsafeMutablePointer<nlmsghdr>) {
        mnl_attr_put_strz(header, UInt16(NFTA_RULE_TABLE.rawValue), Program.tableName)
    }

    static func sets(_ header: UnsafeMutablePointer<nlmsghdr>) {
        mnl_attr_put_strz(header, UInt16(NFTA_SET_TABLE.rawValue), Program.tableName)
    }

    static func chain(_ name: String) -> (UnsafeMutablePointer<nlmsghdr>) -> Void {
        { header in
            mnl_attr_put_strz(header, UInt16(NFTA_CHAIN_TABLE.rawValue), Program.tableName)
            mnl_attr_put_strz(header, UInt16(NFTA_CHAIN_NAME.rawValue), name)
        }
    }

    /// How many elements one question may name: each takes less than 60 bytes of 4,096.
    static let mostElements = 48

    /// Names elements of a set by their keys.
    static func put(
        _ elements: [Element], of name: String, _ header: UnsafeMutablePointer<nlmsghdr>
    ) {
        _ = elements.put(of: name, from: 0, into: header)
    }

    static func elements(of set: String) -> (UnsafeMutablePointer<nlmsghdr>) -> Void {
        { header in
            mnl_attr_put_strz(
                header, UInt16(NFTA_SET_ELEM_LIST_TABLE.rawValue), Program.tableName)
            mnl_attr_put_strz(header, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), set)
        }
    }
}
