internal import ArgumentParser
internal import Evidence
internal import Glibc
internal import Linux

struct AuditKeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make an Ed25519 key that signs audits.",
        discussion: """
            Writes the private key, which only its owner may read, and the public one beside it with \
            '.pub' behind its name. An existing file is never replaced. The files are PEM, as \
            'openssl genpkey -algorithm ed25519' and 'openssl pkey -pubout' write them.

            Example: ringfence audit keygen /etc/ringfence/audit.key
            """)

    @Argument(help: ArgumentHelp("Where to write the private key.", valueName: "path"))
    var path: String

    func run() throws {
        let key = SigningKey()
        do throws(SystemError) {
            try create(path, key.pem, mode: 0o600)
            try create(path + ".pub", key.verifyingKey.pem, mode: 0o644)
        } catch {
            complain("\(error)" + (error.code == EEXIST ? "\n  fix: choose another name" : ""))
            throw ExitCode(3)
        }
        print("private key: \(path)\npublic key: \(path).pub")
        print("fingerprint: \(key.verifyingKey.fingerprint)")
    }

    private func create(_ path: String, _ text: String, mode: mode_t) throws(SystemError) {
        let file = Descriptor(
            owning: try check("open", on: path) {
                open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
            })
        let bytes = Array(text.utf8)
        try check("write", on: path) { write(file.rawValue, bytes, bytes.count) }
    }
}

/// Reads keys from their files.
enum KeyFile {
    static func signing(_ path: String) throws -> SigningKey {
        guard try isPrivateFile(path) else {
            throw AuditTrouble("others may read the key \(path)\n  fix: chmod 600 \(path)")
        }
        let text = String(decoding: try readFile(path), as: UTF8.self)
        guard let key = SigningKey(pem: text) else {
            throw AuditTrouble(
                "\(path) holds no Ed25519 private key in PEM\n"
                    + "  fix: make one with 'ringfence audit keygen PATH', or with"
                    + " 'openssl genpkey -algorithm ed25519 -out PATH'")
        }
        return key
    }

    static func verifying(_ path: String) throws -> VerifyingKey {
        let text = String(decoding: try readFile(path), as: UTF8.self)
        guard let key = VerifyingKey(pem: text) else {
            throw AuditTrouble(
                "\(path) holds no Ed25519 public key in PEM\n"
                    + "  fix: give the file that ends in .pub, or that"
                    + " 'openssl pkey -in KEY -pubout' wrote")
        }
        return key
    }
}

/// Why an audit or a verification could not be made.
struct AuditTrouble: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Does the work; what keeps it from being done is printed, and exits with 3.
func orCouldNotRun<Answer>(_ work: () throws -> Answer) throws -> Answer {
    do {
        return try work()
    } catch let code as ExitCode {
        throw code
    } catch {
        complain("\(error)")
        throw ExitCode(3)
    }
}
