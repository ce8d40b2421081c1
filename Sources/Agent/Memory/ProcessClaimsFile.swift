internal import FoundationEssentials
internal import Linux
internal import NetTypes

/// The claims of processes on disk, which a later agent believes if they are undamaged.
struct ProcessClaimsFile {
    private let path: String

    /// - Parameter directory: The agent's state directory.
    init(directory: String) { path = directory + "/processes.json" }

    private struct Content: Codable {
        let claims: ProcessClaims
        /// The digest of the claims.
        let digest: UInt64
    }

    /// What was kept, and what is wrong with it; a file that is damaged ends every claim.
    func read() -> (claims: ProcessClaims, problem: String?) {
        guard FileManager.default.fileExists(atPath: path) else { return (ProcessClaims(), nil) }
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            let content = try JSONDecoder().decode(Content.self, from: data)
            guard content.digest == (try digest(of: content.claims)) else {
                return (.lost, "\(path) is damaged")
            }
            return (content.claims, nil)
        } catch {
            return (.lost, "\(path): \(error)")
        }
    }

    /// Keeps the claims.
    ///
    /// - Throws: What the kernel or the encoder answered.
    func write(_ claims: ProcessClaims) throws {
        let content = Content(claims: claims, digest: try digest(of: claims))
        try replaceFile(at: path, with: Array(try encoder.encode(content)))
    }

    private var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return encoder
    }

    private func digest(of claims: ProcessClaims) throws -> UInt64 {
        var digest = Digest()
        for byte in try encoder.encode(claims) { digest.combine(byte: byte) }
        return digest.value
    }
}
