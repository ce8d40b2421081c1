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
    /// Every link of the tree.
    private var links: Set<String>

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
        links = []
    }

    /// What has changed since the last call; never waits.
    ///
    /// An error leaves the watch incomplete: rescan, and call `restart()` until it succeeds.
    public mutating func drain() throws(SystemError) -> DirectoryChanges {
        var round = Round()
        // Somebody who never stops writing must not keep the caller here for ever.
        for _ in 0..<64 {
            let events = try inotify.read()
            if events.isEmpty { break }
            for event in events { try take(event, into: &round) }
        }
        if round.needsWatches {
            let found = try watchAnew()
            if round.isRootNew { round.addUnsettled(found) }
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
    var isRootNew = false

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

extension DirectoryWatcher {
    private mutating func take(
        _ event: InotifyEvent, into round: inout Round
    ) throws(SystemError) {
        if event.has(IN_Q_OVERFLOW) { return round.restructure() }
        // What is not in the table was given up, and says so once more.
        guard let watch = watches[event.watch] else { return }
        if event.name.isEmpty {
            if event.has(IN_DELETE_SELF, IN_MOVE_SELF, IN_UNMOUNT, IN_IGNORED) {
                round.restructure()
            }
        } else if watch.signposts.contains(event.name) {
            round.isRootNew = round.isRootNew || event.has(IN_CREATE)
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
        guard isPolicyDirectoryName(event.name), !watch.directories.isEmpty else { return }
        guard event.has(IN_CREATE) else {
            if event.has(IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO) { round.restructure() }
            return
        }
        for directory in watch.directories {
            round.addUnsettled(try watchTree(joined(directory, event.name)))
        }
    }

    private func takeFile(
        _ event: InotifyEvent, _ watch: DirectoryWatch, into round: inout Round
    ) {
        let paths = watch.paths(of: event.name)
        let places = watch.directories.map { joined($0, event.name) }
        if event.has(IN_DELETE, IN_MOVED_FROM) {
            round.set(.removed, paths)
            if places.contains(where: links.contains) { takeLink(paths, into: &round) }
            return
        }
        if event.has(IN_CLOSE_WRITE, IN_MOVED_TO) { round.set(.written, paths) }
        if event.has(IN_MODIFY) { round.set(.unsettled, paths) }
        guard event.has(IN_CREATE, IN_MOVED_TO), let place = places.first,
            let status = try? FileStatus(ofLink: place)
        else { return }
        // Nobody will write to a link, or to a file that another name gave its content.
        let isWhole = status.kind == .link || status.linkCount > 1
        if event.has(IN_CREATE) { round.set(isWhole ? .written : .unsettled, paths) }
        if status.kind == .link, leadsSomewhere(place) { takeLink(paths, into: &round) }
    }

    /// A link came, went or was swapped.
    private func takeLink(_ paths: Set<String>, into round: inout Round) {
        round.needsWatches = true
        // A link to one policy file changes that file; any other may be a step of many paths.
        let isFile = paths.allSatisfy { (try? FileStatus(at: $0))?.kind == .regular }
        if paths.isEmpty || !isFile { round.changes.needsRescan = true }
    }

    /// Editors lock files with links that lead nowhere and never did.
    private func leadsSomewhere(_ link: String) -> Bool {
        links.contains(link) || (try? FileStatus(at: link)) != nil
    }
}

extension DirectoryWatcher {
    private static let content = [
        IN_CLOSE_WRITE, IN_MODIFY, IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO,
        IN_DELETE_SELF, IN_MOVE_SELF,
    ]
    private static let itself = [IN_DELETE_SELF, IN_MOVE_SELF]

    /// Watches what is to be watched now, gives up the rest, and answers the files it came by.
    private mutating func watchAnew() throws(SystemError) -> [String] {
        let old = watches
        watches = [:]
        links = []
        try watchAncestors(of: absolutePath(directory.path))
        let files = try watchTree(directory.path)
        for watch in old.keys where watches[watch] == nil { inotify.remove(watch) }
        return files
    }

    /// Watches the directories above the tree: for their own going, and for the names that decide
    /// where the path leads.
    private mutating func watchAncestors(of root: String) throws(SystemError) {
        var place = "/"
        for name in root.split(separator: "/") {
            let next = joined(place, name)
            let kind = (try? FileStatus(ofLink: next))?.kind
            let isSignpost = next == root || kind != .directory
            let bits = isSignpost ? Self.content : Self.itself
            let queue = inotify.descriptor.rawValue
            guard let watch = try Inotify.add(place, bits, to: queue) else { return }
            var roles = watches[watch] ?? DirectoryWatch()
            if isSignpost { roles.signposts.insert(String(name)) }
            watches[watch] = roles
            place = next
        }
    }

    /// Watches a directory of the tree and all below it, each before it is listed.
    private mutating func watchTree(_ path: String) throws(SystemError) -> [String] {
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
        for (watch, path) in found { watches[watch, default: .init()].directories.insert(path) }
        links.formUnion(walk.links)
        for link in walk.links where isPolicyFileName(splitPath(link).name) {
            try watchTarget(of: link)
        }
        return walk.files
    }

    /// Watches the file that a link leads to, wherever it lies.
    private mutating func watchTarget(of link: String) throws(SystemError) {
        // Where it leads nowhere, the walk has a problem to tell.
        guard let target = try? resolvedPath(link) else { return }
        let (directory, name) = splitPath(target)
        let queue = inotify.descriptor.rawValue
        guard let watch = try Inotify.add(directory, Self.content, to: queue) else { return }
        watches[watch, default: .init()].targets[name, default: []].insert(link)
    }
}
