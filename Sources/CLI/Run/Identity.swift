internal import Glibc
internal import Linux

/// Somebody to run a command as, by `USER` or `USER:GROUP`, names or numbers.
struct Identity {
    private let name: String
    private let user: uid_t
    private let group: gid_t
    private let home: String

    init(_ text: String) throws(SystemError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let wanted = String(parts[0])
        if let entry = getpwnam(wanted) {
            name = wanted
            user = entry.pointee.pw_uid
            home = String(cString: entry.pointee.pw_dir)
            group = parts.count == 2 ? try Self.group(String(parts[1])) : entry.pointee.pw_gid
        } else if let number = uid_t(wanted) {
            let entry = getpwuid(number)
            name = entry.map { String(cString: $0.pointee.pw_name) } ?? wanted
            user = number
            home = entry.map { String(cString: $0.pointee.pw_dir) } ?? "/"
            group =
                parts.count == 2
                ? try Self.group(String(parts[1])) : entry?.pointee.pw_gid ?? gid_t(number)
        } else {
            throw SystemError("getpwnam", on: "user '\(wanted)'", code: ENOENT)
        }
    }

    private static func group(_ text: String) throws(SystemError) -> gid_t {
        if let entry = getgrnam(text) { return entry.pointee.gr_gid }
        guard let number = gid_t(text) else {
            throw SystemError("getgrnam", on: "group '\(text)'", code: ENOENT)
        }
        return number
    }

    /// Becomes that user for good: no program that it starts gains any right again.
    ///
    /// The system calls are `setgroups`, `setgid`, `setuid` and `prctl` with PR_SET_NO_NEW_PRIVS.
    func assume() throws(SystemError) {
        try check("initgroups", on: name) { initgroups(name, group) }
        try check("setgid", on: "\(group)") { setgid(group) }
        try check("setuid", on: "\(user)") { setuid(user) }
        try renounceNewPrivileges()
        guard user == 0 || setuid(0) != 0 else {
            throw SystemError("setuid", on: "privileges that don't go", code: EPERM)
        }
        for (key, value) in [("HOME", home), ("USER", name), ("LOGNAME", name)] {
            try check("setenv", on: key) { setenv(key, value, 1) }
        }
    }
}
