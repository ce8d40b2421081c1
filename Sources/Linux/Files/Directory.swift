private import Glibc

/// A name in a directory.
struct DirectoryEntry: Hashable, Sendable {
    let name: String
    let isLink: Bool
}

/// What a directory holds, sorted by name, without `.` and `..`.
///
/// The library calls are `opendir` and `readdir`.
func entriesOfDirectory(_ path: String) throws(SystemError) -> [DirectoryEntry] {
    guard let stream = opendir(path) else { throw SystemError("opendir", on: path, code: errno) }
    defer { closedir(stream) }
    var entries: [DirectoryEntry] = []
    while true {
        errno = 0
        guard let found = readdir(stream) else { break }
        let name = withUnsafeBytes(of: &found.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name == "." || name == ".." { continue }
        let type = Int(found.pointee.d_type)
        // Some file systems leave the type out.
        let isLink =
            type == DT_UNKNOWN
            ? (try? FileStatus(ofLink: joined(path, name)))?.kind == .link : type == DT_LNK
        entries.append(DirectoryEntry(name: name, isLink: isLink))
    }
    guard errno == 0 else { throw SystemError("readdir", on: path, code: errno) }
    return entries.sorted { $0.name < $1.name }
}

/// The path with every symbolic link resolved.
///
/// The library call is `realpath`.
func resolvedPath(_ path: String) throws(SystemError) -> String {
    guard let resolved = realpath(path, nil) else {
        throw SystemError("realpath", on: path, code: errno)
    }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// A path that doesn't depend on the working directory; links stay as they are.
func absolutePath(_ path: String) throws(SystemError) -> String {
    if path.hasPrefix("/") { return path }
    guard let directory = getcwd(nil, 0) else {
        throw SystemError("getcwd", on: path, code: errno)
    }
    defer { free(directory) }
    return joined(String(cString: directory), path)
}

/// A name in a directory, joined without a doubled slash.
func joined(_ directory: String, _ name: some StringProtocol) -> String {
    directory.hasSuffix("/") ? directory + name : directory + "/" + name
}

/// The directory and the name that an absolute path ends with.
func splitPath(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let directory = slash == path.startIndex ? "/" : String(path[..<slash])
    return (directory, String(path[path.index(after: slash)...]))
}
