import FoundationEssentials
public import NetTypes
import Verifier

/// What a chain of records looks like to somebody who has nothing but the file.
public struct ChainReport: Hashable, Sendable, Codable {
    /// Something that is not as it was written.
    public struct Problem: Hashable, Sendable, Codable {
        /// Counted from 1.
        public var line: Int
        public var message: String
    }

    /// Records that could be read.
    public var records: Int
    public var signed: Int
    /// The fingerprints of the keys that signed, in the order of their first record.
    public var keys: [String]
    /// Whether the keys were compared with one that the reader trusts.
    public var isKeyKnown: Bool
    public var first: Timestamp?
    public var last: Timestamp?
    /// The hash of the last record: whoever kept it knows that none was removed at the end.
    public var head: String
    public var problems: [Problem]
    /// Files of evidence by name: the sequence number of their record, 0 where there is none.
    public var reports: [String: UInt64]

    public var isSound: Bool { problems.isEmpty }
}

extension ChainReport {
    /// Reads a whole chain.
    ///
    /// - Parameters:
    ///   - bytes: The file.
    ///   - key: The key that has to have signed every record; nil if that is not asked.
    ///   - expected: The hash that the last record has to have; nil if that is not asked.
    ///   - files: Files of evidence that have to be in the chain.
    public init(
        _ bytes: [UInt8], key: VerifyingKey? = nil, head expected: String? = nil,
        files: [AuditRecord.File] = []
    ) {
        self.init(
            records: 0, signed: 0, keys: [], isKeyKnown: key != nil,
            head: RecordPlace.first.previous, problems: [], reports: [:])
        var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty ?? false {
            lines.removeLast()
        } else {
            problems.append(
                Problem(line: lines.count, message: "the last line is cut off"))
        }
        if lines.isEmpty { problems.append(Problem(line: 1, message: "there is no record")) }
        var place = RecordPlace.first
        var kept: [String: UInt64] = [:]
        for (number, line) in lines.enumerated() {
            guard let record = read(line, number + 1, place, key) else { continue }
            for file in record.content.reports { kept[file.sha256] = record.content.sequence }
            place = RecordPlace(
                sequence: record.content.sequence &+ 1, previous: record.line.sha256)
        }
        for file in files {
            reports[file.name] = kept[file.sha256] ?? 0
            guard kept[file.sha256] == nil else { continue }
            problems.append(
                Problem(
                    line: lines.count,
                    message: "\(file.name) is in no record: it was changed, or belongs elsewhere"))
        }
        if let expected, expected != self.head {
            problems.append(
                Problem(
                    line: lines.count,
                    message: "the last record has the hash \(self.head), not \(expected): "
                        + "records were removed, or came later"))
        }
    }

    private init(
        records: Int, signed: Int, keys: [String], isKeyKnown: Bool, head: String,
        problems: [Problem], reports: [String: UInt64]
    ) {
        self.records = records
        self.signed = signed
        self.keys = keys
        self.isKeyKnown = isKeyKnown
        self.head = head
        self.problems = problems
        self.reports = reports
    }

    private mutating func read(
        _ bytes: ArraySlice<UInt8>, _ number: Int, _ place: RecordPlace, _ key: VerifyingKey?
    ) -> (line: RecordLine, content: AuditRecord)? {
        func report(_ message: String) {
            problems.append(Problem(line: number, message: message))
        }
        guard let line = RecordLine(bytes) else {
            report("this is no record, or its bytes were changed")
            return nil
        }
        guard let content = AuditRecord(reading: line.record) else {
            report("this is no record that this version can read")
            return nil
        }
        records += 1
        if !line.isIntact { report("the record's bytes were changed: its hash is another") }
        if content.previous != place.previous || content.sequence != place.sequence {
            report(
                "record \(content.sequence) doesn't follow here: a record was removed, moved,"
                    + " added or changed before it")
        }
        check(line, key).map(report)
        head = line.sha256
        first = first ?? content.started
        last = content.finished
        return (line, content)
    }

    /// What is wrong with a signature.
    private mutating func check(_ line: RecordLine, _ key: VerifyingKey?) -> String? {
        guard let signature = line.signature else {
            return key == nil && keys.isEmpty ? nil : "the record isn't signed"
        }
        signed += 1
        let fingerprint = Evidence.sha256(signature.key)
        if !keys.contains(fingerprint) { keys.append(fingerprint) }
        guard VerifyingKey.isValid(signature, of: line.sha256) else {
            return "the signature is not the key's"
        }
        guard let key else {
            return keys.count > 1 ? "another key signed than before" : nil
        }
        return signature.key == key.bytes ? nil : "another key signed than the one that was given"
    }
}
