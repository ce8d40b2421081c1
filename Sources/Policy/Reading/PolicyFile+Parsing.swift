extension PolicyFile {
    /// Reads the bytes of a file, which must be UTF-8.
    public init(parsing bytes: [UInt8], path: String) throws(PolicyErrors) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PolicyErrors([Self.invalidUTF8(bytes, path: path)])
        }
        try self.init(parsing: text, path: path)
    }

    /// Reads the text of a file: one or more documents, each a Tenant or a Policy.
    ///
    /// Throws every mistake of the file, not the first.
    public init(parsing text: String, path: String) throws(PolicyErrors) {
        let reading = YAMLReading(text, path: path)
        var reader = DocumentReader(findings: reading.findings)
        let documents = reading.documents.compactMap { reader.document($0) }
        guard reader.findings.isEmpty else { throw PolicyErrors(reader.findings.diagnostics) }
        self.init(path: path, documents: documents, references: reader.references)
    }

    /// Points at the first byte that isn't UTF-8.
    private static func invalidUTF8(_ bytes: [UInt8], path: String) -> Diagnostic {
        var decoder = UTF8()
        var input = bytes.makeIterator()
        var (line, column) = (1, 1)
        while case .scalarValue(let scalar) = decoder.decode(&input) {
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
        }
        return Diagnostic(
            "the file isn't UTF-8 from here on", fix: "save it as UTF-8",
            at: SourcePlace(file: path, line: line, column: column))
    }
}
