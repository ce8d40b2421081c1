extension String {
    /// A name that somebody else chose, so that it can't be taken for the words around it: in quotes,
    /// unless it is made of what names are made of, and of 64 characters at most.
    public var foreignName: String {
        let plain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-/:@+".utf8.contains(byte)
            }
        }
        let short = count > 64 ? String(prefix(64)) + "..." : self
        return plain && !isEmpty ? short : "\"\(short.replacing("\"", with: "'"))\""
    }
}
