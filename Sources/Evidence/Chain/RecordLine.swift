import Crypto
import FoundationEssentials
import Reports

/// One line of a chain: the bytes of a record, their hash, and what signs it.
///
/// `{"record":RECORD,"sha256":"HASH"}` or
/// `{"record":RECORD,"sha256":"HASH","key":"KEY","signature":"SIGNATURE"}`, without a space
/// outside of the record. The hash is over the record's bytes as they stand there.
public struct RecordLine: Hashable, Sendable {
    public struct Signature: Hashable, Sendable {
        /// The public key, 32 bytes.
        public let key: [UInt8]
        /// 64 bytes.
        public let bytes: [UInt8]
    }

    /// The bytes of the record, JSON with sorted keys.
    public let record: [UInt8]
    /// In hexadecimal digits.
    public let sha256: String
    public let signature: Signature?

    /// Makes the line of a record.
    public init(_ record: AuditRecord, key: SigningKey?) throws {
        self.record = try ReportJSON.line(record)
        sha256 = Evidence.sha256(self.record)
        let hash = sha256
        signature = try key.map { try $0.signature(of: hash) }
    }

    private static let head = Array("{\"record\":".utf8)
    private static let hashMark = Array(",\"sha256\":\"".utf8)
    private static let keyMark = Array("\",\"key\":\"".utf8)
    private static let signatureMark = Array("\",\"signature\":\"".utf8)
    private static let end = Array("\"}".utf8)
    private static let hashLength = 64
    private static let keyLength = 44
    private static let signatureLength = 88

    /// The bytes of the line, without a line feed.
    public var bytes: [UInt8] {
        var bytes = Self.head + record + Self.hashMark + Array(sha256.utf8)
        if let signature {
            bytes += Self.keyMark + Array(Data(signature.key).base64EncodedString().utf8)
            bytes += Self.signatureMark + Array(Data(signature.bytes).base64EncodedString().utf8)
        }
        return bytes + Self.end
    }

    /// Takes a line apart; nil if it has not exactly this form.
    public init?(_ line: some Collection<UInt8>) {
        var rest = Array(line)[...]
        guard rest.starts(with: Self.head), rest.hasSuffix(Self.end) else { return nil }
        rest = rest.dropFirst(Self.head.count).dropLast(Self.end.count)
        var signature: Signature?
        if let (before, text) = rest.split(Self.signatureMark, Self.signatureLength),
            let (earlier, key) = before.split(Self.keyMark, Self.keyLength)
        {
            guard let bytes = Data(base64Encoded: text), let key = Data(base64Encoded: key) else {
                return nil
            }
            signature = Signature(key: Array(key), bytes: Array(bytes))
            rest = earlier
        }
        guard let (record, hash) = rest.split(Self.hashMark, Self.hashLength) else { return nil }
        self.record = Array(record)
        sha256 = hash
        self.signature = signature
        // One spelling only: base64 and hexadecimal digits have others of the same value.
        guard bytes.elementsEqual(line) else { return nil }
    }

    /// Whether the hash is the record's.
    public var isIntact: Bool { Evidence.sha256(record) == sha256 }
}

extension ArraySlice<UInt8> {
    fileprivate func hasSuffix(_ other: [UInt8]) -> Bool {
        suffix(other.count).elementsEqual(other)
    }

    /// What stands before a mark and behind it, where the text behind it has that length.
    fileprivate func split(_ mark: [UInt8], _ length: Int) -> (ArraySlice<UInt8>, String)? {
        guard count >= mark.count + length else { return nil }
        let before = dropLast(length)
        guard before.hasSuffix(mark),
            let text = String(validating: suffix(length), as: UTF8.self)
        else { return nil }
        return (before.dropLast(mark.count), text)
    }
}
