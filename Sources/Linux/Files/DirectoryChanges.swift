/// What happened in a directory of policy files since the last look.
public struct DirectoryChanges: Hashable, Sendable {
    /// What happened to one file, last.
    public enum Change: Hashable, Sendable {
        /// Somebody has finished writing, or put a whole file in place: read it now.
        case written
        /// Somebody is writing, or has left the file open: read it when nothing more has come for
        /// `settlingTime`.
        case unsettled
        /// The name is gone.
        ///
        /// Some editors take it away for a moment while they save, so believe it after
        /// `settlingTime`.
        case removed
    }

    /// How long a file must be left alone before a half-done change counts as done.
    public static let settlingTime = Duration.milliseconds(20)

    /// By path, as the user would type it.
    public internal(set) var files: [String: Change] = [:]
    /// Whether more may have changed than `files` names: directories, links, or lost events.
    ///
    /// Take a snapshot, in which unchanged files cost one `stat` each, and leave the unsettled
    /// files of it for later.
    public internal(set) var needsRescan = false

    public var isEmpty: Bool { files.isEmpty && !needsRescan }

    public init() {}
}
