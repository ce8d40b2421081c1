internal import CBPF
internal import Glibc
internal import Linux

/// What stands in a BPF file system and so outlasts the process.
enum Pinned {
    /// Opens what is pinned at a path; nil where nothing is.
    static func open(_ path: String) throws(BPFError) -> Descriptor? {
        let raw = bpf_obj_get(path)
        if raw == -ENOENT { return nil }
        return Descriptor(owning: try checkBPF("open \(path)") { raw })
    }

    static func pin(_ descriptor: borrowing Descriptor, at path: String) throws(BPFError) {
        let raw = descriptor.rawValue
        try checkBPF("pin \(path)") { bpf_obj_pin(raw, path) }
    }

    static func remove(_ path: String) { _ = unlink(path) }

    /// Pins what is pinned at a path at another one as well.
    ///
    /// - Throws: ENOENT where nothing is pinned there.
    static func copy(_ path: String, to other: String) throws(BPFError) {
        guard let descriptor = try open(path) else { throw BPFError("open \(path)", code: ENOENT) }
        try pin(descriptor, at: other)
    }

    /// Takes away a folder and all that is pinned in it; one that is not there is no error.
    static func removeFolder(_ path: String) {
        for name in names(in: path) { remove(path + "/" + name) }
        _ = rmdir(path)
    }

    /// Gives a folder its final name in one step.
    static func rename(_ folder: String, to name: String) throws(BPFError) {
        if Glibc.rename(folder, name) != 0 { throw BPFError("rename \(folder)", code: errno) }
    }

    /// Mounts the file system where it is missing and makes the folders of a path below it.
    ///
    /// - Parameters:
    ///   - root: Where the file system is or is to be mounted.
    ///   - folder: A folder below it.
    /// - Throws: What the kernel refused.
    static func prepare(root: String, folder: String) throws(BPFError) {
        if cbpf_is_bpffs(root) == 0 {
            _ = mkdir(root, 0o700)
            if mount("bpf", root, "bpf", 0, "mode=0700") != 0 {
                throw BPFError("mount the BPF file system at \(root)", code: errno)
            }
        }
        var path = root
        for part in folder.dropFirst(root.count).split(separator: "/") {
            path += "/" + part
            if mkdir(path, 0o700) != 0, errno != EEXIST {
                throw BPFError("make \(path)", code: errno)
            }
        }
    }

    /// The names in a folder; none where there is no folder.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}
