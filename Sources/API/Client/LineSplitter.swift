/// Makes lines of bytes that come in pieces.
struct LineSplitter {
    private var rest: [UInt8] = []
    private let greatest: Int

    /// Refuses lines that are longer than `greatest` bytes.
    init(greatest: Int) { self.greatest = greatest }

    /// The lines that the piece completes, without line feeds and without empty ones.
    mutating func split(_ piece: [UInt8], of request: String) throws(APIClientError) -> [[UInt8]] {
        let parts = piece.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var lines: [[UInt8]] = []
        for part in parts.dropLast() {
            rest += part
            if !rest.isEmpty { lines.append(rest) }
            rest = []
        }
        rest += parts.last ?? []
        guard rest.count <= greatest, lines.allSatisfy({ $0.count <= greatest }) else {
            throw .notUnderstood(request: request, reason: "a line has no end")
        }
        return lines
    }
}
