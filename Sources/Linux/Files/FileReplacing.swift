private import Glibc

/// Puts a file in place as a whole: a crash leaves the old content or the new one.
///
/// The bytes go to a file beside it, with `.new` behind its name, which is renamed. Folders on the
/// way are made, for their owner only.
///
/// - Parameters:
///   - path: Where the file is to stand.
///   - bytes: All that is to be in it.
///   - mode: Its permissions.
/// - Throws: What the kernel answered, with the path.
public func replaceFile(
    at path: String, with bytes: [UInt8], mode: UInt32 = 0o600
) throws(SystemError) {
    try makeFolders(above: path)
    let temporary = path + ".new"
    do throws(SystemError) {
        let file = try Descriptor(
            owning: check("open", on: temporary) {
                open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
            })
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try check("write", on: temporary) {
                unsafe rest.withUnsafeBytes {
                    unsafe write(file.rawValue, $0.baseAddress, $0.count)
                }
            }
            rest = rest.dropFirst(count)
        }
        _ = try check("rename", on: path) { rename(temporary, path) }
    } catch {
        unlink(temporary)
        throw error
    }
}

/// Takes a file away; one that is not there is no error.
///
/// - Throws: What the kernel answered, with the path.
public func removeFile(at path: String) throws(SystemError) {
    if unlink(path) != 0, errno != ENOENT, errno != ENOTDIR {
        throw SystemError("unlink", on: path, code: errno)
    }
}

/// Makes every folder that the path needs and that is missing, for their owner only.
///
/// - Throws: What the kernel answered, with the folder.
public func makeFolders(above path: String) throws(SystemError) {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    let folder = String(path[..<slash])
    if mkdir(folder, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT else { throw SystemError("mkdir", on: folder, code: errno) }
    try makeFolders(above: folder)
    if mkdir(folder, 0o700) != 0, errno != EEXIST {
        throw SystemError("mkdir", on: folder, code: errno)
    }
}
