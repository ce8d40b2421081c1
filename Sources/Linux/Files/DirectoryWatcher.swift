private import Glibc

/// Tells which policy files of a directory tree change, whatever way they are saved.
///
/// Make the watcher first and read the directory afterwards: then nothing is missed between. The
/// tree may be absent, or go and come back; links in it are followed, and a swap of a link that
/// files are reached through, as in a mounted ConfigMap, is seen.
public struct DirectoryWatcher: ~Copyable, Sendable {
    public let directory: PolicyDirectory
    private let inotify: Inotify
    private var watches: [CInt: DirectoryWatch]

    /// Readable when there are changes.
    public var descriptor: CInt { inotify.descriptor.rawValue }

    public init(_ directory: PolicyDirectory) throws(SystemError) {
        var watcher = Self(directory, over: try Inotify())
        _ = try watcher.watchAnew()
        self = watcher
    }

    private init(_ directory: PolicyDirectory, over inotify: consuming Inotify) {
        self.directory = directory
        self.inotify = inotify
        watches = [:]
    }

    /// What has changed since the last call; never waits.
    ///
    /// An error leaves the watch incomplete: rescan, and call `restart()` until it succeeds.
    public mutating func drain() throws(SystemError) -> DirectoryChanges {
        var round = Round()
        var events: [InotifyEvent] = []
        // Somebody who never stops writing must not keep the caller here for ever: so many times take
        // a queue that is full (`fs.inotify.max_queued_events`).
        for _ in 0..<8 {
            let more = try inotify.read()
            if more.isEmpty { break }
            events += more
        }
        for event in events.lastOfEach() { try take(event, into: &round) }
        if round.needsWatches {
            let found = try watchAnew()
            if round.isTreeNew { round.addUnsettled(found) }
        }
        return round.changes
    }

    /// Watches everything anew.
    public mutating func restart() throws(SystemError) { _ = try watchAnew() }
}

/// One call of `drain`.
private struct Round {
    var changes = DirectoryChanges()
    var needsWatches = false
    var isTreeNew = false

    mutating func restructure() {
        needsWatches = true
        changes.needsRescan = true
    }

    mutating func set(_ change: DirectoryChanges.Change, _ paths: Set<String>) {
        for path in paths { changes.files[path] = change }
    }

    /// Files that were there before their directory was watched: nobody knows who still writes.
    mutating func addUnsettled(_ paths: [String]) {
        for path in paths where changes.files[path] == nil { changes.files[path] = .unsettled }
    }
}

extension [InotifyEvent] {
    /// The events without those that come again later: a file that is saved a thousand times is looked
    /// at once.
    fileprivate func lastOfEach() -> [InotifyEvent] {
        var seen: Set<InotifyEvent> = []
        return reversed().filter { seen.insert($0).inserted }.reversed()
    }
}

extension DirectoryWatcher {
    private mutating func take(
        _ event: InotifyEvent, into round: inout Round
    ) throws(SystemError) {
        if event.has(IN_Q_OVERFLOW) { return round.restructure() }
        // What is not in the table was given up, and says so once more.
        guard let watch = watches[event.watch] else { return }
        if event.name.isEmpty {
            if event.has(IN_DELETE_SELF, IN_MOVE_SELF, IN_UNMOUNT, IN_IGNORED, IN_ATTRIB) {
                round.restructure()
            }
        } else if watch.signposts.contains(event.name) {
            round.isTreeNew = round.isTreeNew || event.has(IN_CREATE) && event.has(IN_ISDIR)
            round.restructure()
        } else if event.has(IN_ISDIR) {
            try takeDirectory(event, watch, into: &round)
        } else {
            takeFile(event, watch, into: &round)
        }
    }

    private mutating func takeDirectory(
        _ event: InotifyEvent, _ watch: DirectoryWatch, into round: inout Round
    ) throws(SystemError) {
        if watch.targets[event.name] != nil { round.restructure() }
        guard isPolicyDirectoryName(event.name), !watch.directories.isEmpty else { return }
        guard event.has(IN_CREATE) else {
            if event.has(IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO, IN_ATTRIB) { round.restructure() }
            return
        }
        for directory in watch.directories {
            let walk = try watchTree(joined(directory, event.name))
            round.addUnsettled(walk.files)
            // What a link brings in depends on the whole tree, and only a snapshot tells problems.
            if !walk.directoryLinks.isEmpty || !walk.problems.isEmpty { round.restructure() }
        }
    }

    private func takeFile(
        _ event: InotifyEvent, _ watch: DirectoryWatch, into round: inout Round
    ) {
        let paths = watch.paths(of: event.name)
        // It is to be named, or no longer.
        if looksLikePolicyFileName(event.name), !watch.directories.isEmpty,
            event.has(IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO)
        {
            round.changes.needsRescan = true
        }
        if event.has(IN_DELETE, IN_MOVED_FROM) { round.set(.removed, paths) }
        if event.has(IN_CLOSE_WRITE, IN_MOVED_TO) { round.set(.written, paths) }
        if event.has(IN_MODIFY) { round.set(.unsettled, paths) }
        // Whose it is, and who may write to it, decides whether it counts.
        if event.has(IN_ATTRIB) { round.addUnsettled(Array(paths)) }
        let place = joined(watch.path, event.name)
        guard event.has(IN_CREATE, IN_MOVED_TO), let status = try? FileStatus(ofLink: place)
        else { return }
        // Nobody will write to a link, or to a file that another name gave its content.
        let isWhole = status.kind == .link || status.linkCount > 1
        if event.has(IN_CREATE) { round.set(isWhole ? .written : .unsettled, paths) }
        // A hidden link that matters is known already.
        let matters = isPolicyDirectoryName(event.name) || watch.targets[event.name] != nil
        if status.kind == .link, matters { takeLink(place, into: &round) }
    }

    /// A link came, or was swapped.
    private func takeLink(_ place: String, into round: inout Round) {
        round.needsWatches = true
        if (try? FileStatus(at: place))?.kind == .directory { round.changes.needsRescan = true }
    }
}

extension DirectoryWatcher {
    private static let content = [
        IN_CLOSE_WRITE, IN_MODIFY, IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO,
        IN_DELETE_SELF, IN_MOVE_SELF, IN_ATTRIB,
    ]
    private static let itself = [IN_DELETE_SELF, IN_MOVE_SELF]
    /// What leads to the tree: whoever writes to files beside it wakes nobody.
    private static let names = itself + [IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO]

    /// Watches what is to be watched now, gives up the rest, and answers the files it came by.
    private mutating func watchAnew() throws(SystemError) -> [String] {
        let old = watches
        watches = [:]
        try watchAncestors(of: absolutePath(directory.path))
        let files = try watchTree(directory.path).files
        for watch in old.keys where watches[watch] == nil { inotify.remove(watch) }
        return files
    }

    /// Watches the directories above the tree: for their own going, and for the names that decide
    /// where the path leads.
    private mutating func watchAncestors(of root: String) throws(SystemError) {
        let way = PathResolution(of: root)
        for directory in way.directories { try watch(directory, for: Self.itself) { _ in } }
        try watch(signposts: way.turns + [way.end].compactMap(\.self))
    }

    private mutating func watch(signposts: [Signpost]) throws(SystemError) {
        for post in signposts {
            try watch(post.directory, for: Self.names) { $0.signposts.insert(post.name) }
        }
    }

    private mutating func watch(
        _ path: String, for bits: [CInt], _ change: (inout DirectoryWatch) -> Void
    ) throws(SystemError) {
        let queue = inotify.descriptor.rawValue
        guard let watch = try Inotify.add(path, bits, to: queue) else { return }
        change(&watches[watch, default: DirectoryWatch(path: path)])
    }

    /// Watches a directory of the tree and all below it, each before it is listed.
    private mutating func watchTree(_ path: String) throws(SystemError) -> PolicyWalk {
        var failure: SystemError?
        var found: [(watch: CInt, path: String)] = []
        let queue = inotify.descriptor.rawValue
        let walk = PolicyWalk(of: path, limits: directory.limits) { path in
            do throws(SystemError) {
                let watch = try Inotify.add(path, Self.content, to: queue)
                if let watch { found.append((watch, path)) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        for (watch, path) in found {
            watches[watch, default: DirectoryWatch(path: path)].directories.insert(path)
        }
        for link in walk.links { try watchTarget(of: link) }
        return walk
    }

    /// Watches what a link of the tree leads to, wherever it lies, and all links on the way.
    private mutating func watchTarget(of link: String) throws(SystemError) {
        var way = PathResolution()
        // What changes between the look and the watch is seen by the next look.
        for _ in 0..<4 {
            let (place, name) = splitPath(link)
            guard let start = try? resolvedPath(place) else { return }
            let next = PathResolution(of: name, from: start)
            if next == way { return }
            way = next
            try watch(way, of: link)
        }
    }

    private mutating func watch(_ way: PathResolution, of link: String) throws(SystemError) {
        // The first turn is the link itself, and a file's own events tell what becomes of it.
        let mayBeFile = isPolicyFileName(splitPath(link).name)
        try watch(signposts: mayBeFile ? Array(way.turns.dropFirst()) : way.turns)
        guard let end = way.end else { return }
        try watch(end.directory, for: mayBeFile ? Self.content : Self.names) { watch in
            if mayBeFile {
                watch.targets[end.name, default: []].insert(link)
            } else {
                watch.signposts.insert(end.name)
            }
        }
    }
}
