import Evidence
import Reports
import Testing

@Suite struct ChainTests {
    private static let key = SigningKey()

    /// A chain of three short records, signed or not.
    private func chain(_ key: SigningKey?) throws -> [[UInt8]] {
        var report = try Samples.report(isHostile: false)
        // Little bytes: each is flipped below.
        report.checks = Array(report.checks.prefix(1))
        report.policies.files = []
        var place = RecordPlace.first
        return try (0..<3).map { _ in
            let file = AuditRecord.File(name: "a.html", content: Array("\(place.sequence)".utf8))
            let line = try RecordLine(AuditRecord(report, at: place, reports: [file]), key: key)
            place = RecordPlace(sequence: place.sequence + 1, previous: line.sha256)
            return line.bytes + [0x0a]
        }
    }

    @Test func `an intact chain is`() throws {
        let signed = try chain(Self.key)
        let report = ChainReport(Array(signed.joined()), key: Self.key.verifyingKey)
        #expect(report.isSound, "\(report.problems)")
        #expect(report.records == 3)
        #expect(report.signed == 3)
        #expect(report.keys == [Self.key.verifyingKey.fingerprint])
        let unsigned = ChainReport(Array(try chain(nil).joined()))
        #expect(unsigned.isSound)
        #expect(unsigned.signed == 0)
    }

    @Test(arguments: [true, false])
    func `every changed byte is found`(_ isSigned: Bool) throws {
        let bytes = Array(try chain(isSigned ? Self.key : nil).joined())
        var missed: [Int] = []
        for index in bytes.indices {
            for mask in [UInt8(0x01), 0x20, 0x80] {
                var changed = bytes
                changed[index] ^= mask
                if ChainReport(changed).isSound { missed.append(index) }
            }
        }
        #expect(missed.isEmpty)
        #expect(bytes.count > 2_000)
    }

    @Test func `a removed, moved, doubled or cut record is found`() throws {
        let lines = try chain(Self.key)
        let head = ChainReport(Array(lines.joined())).head
        let wrong: [[[UInt8]]] = [
            [lines[1], lines[2]], [lines[0], lines[2]], [lines[1], lines[0], lines[2]],
            [lines[0], lines[0], lines[1], lines[2]], [lines[0], lines[1], lines[2].dropLast()],
            [lines[0], [0x0a], lines[1], lines[2]], [], [[0x20], lines[0], lines[1], lines[2]],
        ]
        for lines in wrong {
            #expect(!ChainReport(Array(lines.joined())).isSound)
        }
        let cut = Array(lines[0] + lines[1])
        #expect(ChainReport(cut).isSound)
        #expect(!ChainReport(cut, head: head).isSound)
    }

    @Test func `another key, or none, is found`() throws {
        let bytes = Array(try chain(Self.key).joined())
        #expect(!ChainReport(bytes, key: SigningKey().verifyingKey).isSound)
        #expect(!ChainReport(Array(try chain(nil).joined()), key: Self.key.verifyingKey).isSound)
        let mixed = try chain(Self.key)
        let unsigned = try chain(nil)
        #expect(!ChainReport(Array((mixed[0] + unsigned[1]))).isSound)
    }

    @Test func `reports are told from changed ones`() throws {
        let bytes = Array(try chain(Self.key).joined())
        let kept = AuditRecord.File(name: "b.html", content: Array("2".utf8))
        let changed = AuditRecord.File(name: "c.html", content: Array("4".utf8))
        let report = ChainReport(bytes, files: [kept, changed])
        #expect(report.reports == ["b.html": 2, "c.html": 0])
        #expect(report.problems.count == 1)
    }

    @Test func `keys are read as openssl writes them`() throws {
        // The private key of RFC 8410, section 10.3, and its public one of section 10.1.
        let key = SigningKey(
            pem: """
                -----BEGIN PRIVATE KEY-----
                MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
                -----END PRIVATE KEY-----

                """)
        let wanted = """
            -----BEGIN PUBLIC KEY-----
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
            -----END PUBLIC KEY-----

            """
        #expect(key?.verifyingKey.pem == wanted)
        #expect(VerifyingKey(pem: wanted)?.pem == wanted)
        #expect(key.flatMap { SigningKey(pem: $0.pem) }?.verifyingKey == key?.verifyingKey)
        for text in [wanted, "", "-----BEGIN PRIVATE KEY-----"] {
            let isKey = SigningKey(pem: text) != nil
            #expect(!isKey)
        }
    }
}
