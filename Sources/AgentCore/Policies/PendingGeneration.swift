public import Reports

/// What the next generation consists of.
public struct PendingGeneration: Sendable {
    /// What led to a generation.
    public struct News: Sendable {
        /// The digest of each file that is in force, by path.
        public let files: [String: String]
        public let changes: [FileChange]
        /// When the oldest of the changes was saved; nil where none was.
        public let saved: ContinuousClock.Instant?
    }

    /// The digest of each file that is accepted, by path.
    public private(set) var digests: [String: String] = [:]
    private var changes: [FileChange] = []
    private var saved: ContinuousClock.Instant?

    /// No file is accepted, and nothing has changed.
    public init() {}

    /// Something was saved; the oldest moment that is not in force counts.
    public mutating func noteSaved(at moment: ContinuousClock.Instant) { saved = saved ?? moment }

    /// What was saved changed nothing.
    public mutating func forgetSaved() { saved = nil }

    /// A file has other content now.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - digest: Of what is accepted; nil where nothing is.
    public mutating func note(_ path: String, digest: String?) {
        let isNew = digests[path] == nil
        digests[path] = digest
        let kind: FileChange.Kind = digest == nil ? .removed : isNew ? .added : .changed
        changes.append(FileChange(file: path, kind: kind))
    }

    /// A file means something else now, with the content that it had.
    public mutating func note(_ change: FileChange) { changes.append(change) }

    /// Takes what has changed for no change: it was in force before.
    public mutating func forgetChanges() { changes = [] }

    /// What the generation that is about to be written is to be known by.
    public mutating func take() -> News {
        defer {
            saved = nil
            changes = []
        }
        return News(files: digests, changes: changes, saved: saved)
    }

    /// Leaves what led to a generation for the next one.
    ///
    /// - Returns: What is left to this one.
    public mutating func putBack(_ news: News) -> News {
        changes = news.changes + changes
        saved = news.saved ?? saved
        return News(files: news.files, changes: [], saved: nil)
    }
}
