internal import Crypto
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Policy

/// A file that is kept to be believed later: what it holds, and the SHA-256 of that on a last line.
///
/// One bit that a disk or a person changed is found out, whatever it would mean.
struct SealedFile: Sendable {
    let path: String

    enum Reading: Sendable {
        case absent
        case whole([UInt8])
        /// No checksum is there, as in files of earlier versions: one that can't be parsed is
        /// damaged.
        case unsealed([UInt8])
        /// Nothing of it may be believed; why, in words.
        case damaged(String)
    }

    private static let label = Array("sha256 ".utf8)
    private static let digits = 64

    /// Reads the file, and compares it with its checksum.
    func read() -> Reading {
        do throws(SystemError) {
            return try contents(of: path).map(Self.open) ?? .absent
        } catch {
            return .damaged("\(error)")
        }
    }

    /// Compares bytes with the checksum on their last line.
    static func open(_ bytes: [UInt8]) -> Reading {
        let length = label.count + digits + 2
        let trailer = bytes.suffix(length)
        guard trailer.count == length, trailer.first == newline, trailer.last == newline,
            trailer.dropFirst().starts(with: label)
        else { return .unsealed(bytes) }
        let payload = Array(bytes.dropLast(length))
        let written = trailer.dropFirst(1 + label.count).dropLast()
        return written.elementsEqual(digest(of: payload).utf8)
            ? .whole(payload) : .damaged("its SHA-256 is not the one that was written with it")
    }

    /// Replaces the file in one step.
    func write(_ payload: [UInt8]) throws(SystemError) {
        try replaceFile(at: path, with: Self.seal(payload))
    }

    /// The bytes of a file that holds something.
    static func seal(_ payload: [UInt8]) -> [UInt8] {
        payload + [newline] + label + Array(digest(of: payload).utf8) + [newline]
    }

    private static let newline = UInt8(ascii: "\n")

    /// The SHA-256 in lower case, as sha256sum(1) writes it.
    static func digest(of bytes: some DataProtocol) -> String {
        SHA256.hash(data: bytes).hexadecimal
    }

    /// Puts the file aside, so that nothing of it is lost; gives the mistake to be told.
    func setAside(_ reason: String, _ consequence: String) -> Diagnostic {
        Self.setAside(path, reason, consequence)
    }

    /// Puts a file aside under its name and `.damaged`.
    ///
    /// - Parameters:
    ///   - path: Whatever is there.
    ///   - reason: What is wrong with it.
    ///   - consequence: What follows.
    /// - Returns: The mistake to be told.
    static func setAside(_ path: String, _ reason: String, _ consequence: String) -> Diagnostic {
        let aside = path + ".damaged"
        // An empty directory in its way would keep a file from being put there.
        rmdir(aside)
        let place = rename(path, aside) == 0 ? "it was put aside as \(aside)" : "it stays there"
        return Diagnostic(
            "kept state is damaged: \(reason); \(consequence); \(place)",
            fix: "look for errors of the disk, and restore the file if its contents matter",
            at: SourcePlace(file: path, line: 1, column: 1))
    }
}

/// Values in JSON.
extension SealedFile {
    /// Decodes what a file holds.
    ///
    /// - Returns: Nil where there is no file.
    /// - Throws: `Damage` where the file may not be believed.
    func decode<Value: Decodable>(_ type: Value.Type) throws(Damage) -> Value? {
        let bytes: [UInt8]
        switch read() {
        case .absent: return nil
        case .damaged(let reason): throw Damage(reason: reason)
        case .whole(let payload), .unsealed(let payload): bytes = payload
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Damage(reason: "\(error)")
        }
    }

    /// Why a file may not be believed.
    struct Damage: Error {
        let reason: String
    }

    /// Replaces the file by a value.
    ///
    /// - Parameters:
    ///   - value: What it is to hold.
    ///   - encoder: How.
    /// - Throws: What the kernel refused; EINVAL for a value that JSON can't express.
    func write(
        _ value: some Encodable, by encoder: JSONEncoder = JSONEncoder()
    ) throws(SystemError) {
        try write(Array(encodedJSON(value, by: encoder, for: path)))
    }
}

/// Reads a regular file.
///
/// - Parameter path: Where it is.
/// - Returns: Nil where nothing is.
/// - Throws: What the kernel refused; EINVAL for what is no regular file, such as a pipe.
func contents(of path: String) throws(SystemError) -> [UInt8]? {
    // A pipe would have the agent wait for a writer.
    let raw = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    if raw < 0, errno == ENOENT || errno == ENOTDIR { return nil }
    let file = Descriptor(owning: try check("open", on: path) { raw })
    var status = stat()
    _ = try check("fstat", on: path) { fstat(file.rawValue, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else {
        throw SystemError("read what is no regular file", on: path, code: EINVAL)
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = try check("read", on: path) { read(file.rawValue, &buffer, buffer.count) }
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
    }
}

/// Encodes a value; throws EINVAL for one that JSON can't express.
func encodedJSON(
    _ value: some Encodable, by encoder: JSONEncoder = JSONEncoder(), for path: String
) throws(SystemError) -> Data {
    do {
        return try encoder.encode(value)
    } catch {
        throw SystemError("encode (\(error))", on: path, code: EINVAL)
    }
}
