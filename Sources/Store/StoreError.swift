internal import GRDB

/// Why history can't be kept in its file or read from it.
public struct StoreError: Error, Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// There is no file.
        case missing
        /// What the file holds is not a database, or one that contradicts itself.
        case damaged
        /// Another process holds the file.
        case locked
        /// The file was written by a later version.
        case newer
        /// There is no room left.
        case full
        /// Anything else that the kernel or SQLite answered.
        case unusable
        /// A page was asked for with a cursor that no page ever gave.
        case badCursor
    }

    public let kind: Kind
    public let path: String
    /// What was answered.
    public let detail: String

    init(_ kind: Kind, path: String, detail: String = "") {
        self.kind = kind
        self.path = path
        self.detail = detail
    }

    init(_ error: any Error, path: String) {
        if let error = error as? StoreError {
            self = error
            return
        }
        let code = (error as? DatabaseError)?.resultCode
        self.init(
            Self.kind(of: code), path: path,
            detail: (error as? DatabaseError).map { $0.words } ?? "\(error)")
    }

    private static func kind(of code: ResultCode?) -> Kind {
        switch code {
        case .SQLITE_CORRUPT?, .SQLITE_NOTADB?: .damaged
        case .SQLITE_BUSY?, .SQLITE_LOCKED?: .locked
        case .SQLITE_FULL?: .full
        default: .unusable
        }
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        let more = detail.isEmpty ? "" : ": \(detail)"
        return switch kind {
        case .missing:
            "\(path): there is no history\n  fix: give --state the agent's state directory"
        case .damaged:
            "\(path) is damaged\(more)\n  fix: a running agent sets it aside and starts a new one"
        case .locked:
            "\(path): another process holds its lock\n  fix: end what has the file open, "
                + "other than one agent"
        case .newer:
            "\(path) was written by a later version\(more)\n  fix: run that version, "
                + "or move the file away"
        case .full: "\(path): no room is left\(more)\n  fix: make room on the disk"
        case .unusable: "\(path) can't be used\(more)"
        case .badCursor: "'\(detail)' is no cursor\n  fix: give the one that the last page gave"
        }
    }
}

extension DatabaseError {
    /// SQLite's number and words, without the statement.
    fileprivate var words: String {
        "\(message ?? "no message") (SQLite error \(extendedResultCode.rawValue))"
    }
}
