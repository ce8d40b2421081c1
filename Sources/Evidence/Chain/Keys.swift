import Crypto
import FoundationEssentials

/// An Ed25519 key that signs records.
///
/// In files it is PEM, as `openssl genpkey -algorithm ed25519` writes it (PKCS #8, RFC 8410).
public struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// Makes a new one.
    public init() { key = Curve25519.Signing.PrivateKey() }

    /// Reads PEM; nil if it holds no Ed25519 private key.
    public init?(pem: String) {
        guard let seed = PEM.content(of: pem, PEM.privateKey),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        else { return nil }
        self.key = key
    }

    public var pem: String { PEM.text(Array(key.rawRepresentation), PEM.privateKey) }

    public var verifyingKey: VerifyingKey { VerifyingKey(key.publicKey) }

    func signature(of hash: String) throws -> RecordLine.Signature {
        RecordLine.Signature(
            key: verifyingKey.bytes,
            bytes: Array(try key.signature(for: VerifyingKey.message(hash))))
    }
}

/// The public half of a key, which checks signatures.
public struct VerifyingKey: Hashable, Sendable {
    /// 32 bytes.
    public let bytes: [UInt8]

    init(_ key: Curve25519.Signing.PublicKey) { bytes = Array(key.rawRepresentation) }

    /// Reads PEM, as `openssl pkey -pubout` writes it; nil if it holds no Ed25519 public key.
    public init?(pem: String) {
        guard let bytes = PEM.content(of: pem, PEM.publicKey) else { return nil }
        self.bytes = bytes
    }

    public var pem: String { PEM.text(bytes, PEM.publicKey) }

    /// SHA-256 of the key, in hexadecimal digits.
    public var fingerprint: String { sha256(bytes) }

    /// Whether the signature is the key's over that hash.
    static func isValid(_ signature: RecordLine.Signature, of hash: String) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: signature.key) else {
            return false
        }
        return key.isValidSignature(signature.bytes, for: message(hash))
    }

    /// What is signed: words that say what it is, and the hash.
    fileprivate static func message(_ hash: String) -> [UInt8] {
        Array("ringfence audit record\n\(hash)\n".utf8)
    }
}

/// The two kinds of keys in their files.
private enum PEM {
    struct Kind {
        let label: String
        /// What stands before the 32 bytes in DER (RFC 8410, sections 4 and 7).
        let head: [UInt8]
    }

    static let privateKey = Kind(
        label: "PRIVATE KEY",
        head: [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ])
    static let publicKey = Kind(
        label: "PUBLIC KEY",
        head: [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00])

    static func text(_ bytes: [UInt8], _ kind: Kind) -> String {
        let body = Data(kind.head + bytes).base64EncodedString()
        return "-----BEGIN \(kind.label)-----\n\(body)\n-----END \(kind.label)-----\n"
    }

    static func content(of text: String, _ kind: Kind) -> [UInt8]? {
        let lines = text.split(whereSeparator: \.isNewline).map {
            $0.filter { !$0.isWhitespace || $0 == " " }
        }
        guard let first = lines.firstIndex(of: "-----BEGIN \(kind.label)-----"),
            let last = lines[first...].firstIndex(of: "-----END \(kind.label)-----"),
            let data = Data(base64Encoded: lines[(first + 1)..<last].joined()),
            data.count == kind.head.count + 32, data.starts(with: kind.head)
        else { return nil }
        return Array(data.dropFirst(kind.head.count))
    }
}
