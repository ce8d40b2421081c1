private import Glibc

/// A name in a directory that decides where a path leads.
struct Signpost: Hashable, Sendable {
    /// Without links.
    let directory: String
    let name: String

    var path: String { joined(directory, name) }
}

/// The way that the kernel takes from one path to a file, link by link.
struct PathResolution: Hashable, Sendable {
    /// Every link on the way, and the first name before the last that is no directory.
    private(set) var turns: [Signpost] = []
    /// The directories that were passed through, without links.
    private(set) var directories: [String] = []
    /// The last name, whether anything has it or not; nil when the way ends before.
    private(set) var end: Signpost?

    /// The kernel gives up after so many links, too.
    private static let greatestTurnCount = 40

    /// The way that has no steps.
    init() {}

    /// Goes from an absolute path without links along another, which may be relative to it.
    ///
    /// The system calls are `lstat` and `readlink`.
    init(of path: String, from start: String = "/") {
        var place = start
        var rest: [Substring] = []
        Self.turn(along: path, &place, &rest)
        while let name = rest.popLast() {
            if name == "." { continue }
            if name == ".." {
                place = splitPath(place).directory
                continue
            }
            let post = Signpost(directory: place, name: String(name))
            let kind = (try? FileStatus(ofLink: post.path))?.kind
            if kind == .link {
                turns.append(post)
                guard turns.count <= Self.greatestTurnCount, let target = Self.target(of: post)
                else { return }
                Self.turn(along: target, &place, &rest)
            } else if rest.isEmpty {
                end = post
            } else if kind == .directory {
                place = post.path
                directories.append(place)
            } else {
                turns.append(post)
                return
            }
        }
    }

    private static func turn(
        along path: String, _ place: inout String, _ rest: inout [Substring]
    ) {
        if path.hasPrefix("/") { place = "/" }
        rest += path.split(separator: "/").reversed()
    }

    private static func target(of link: Signpost) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(link.path, &buffer, buffer.count)
        return length < 0 ? nil : String(decoding: buffer.prefix(length), as: UTF8.self)
    }
}
