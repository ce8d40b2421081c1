private import Glibc

/// How many descriptors this process may have open.
public enum DescriptorLimit {
    /// Raises it as far as the kernel lets this process: to `wanted`, or to the hard limit.
    ///
    /// The answer is whether it could be set at all. The system calls are `getrlimit` and `setrlimit`.
    @discardableResult
    public static func raise(to wanted: UInt = 1 << 20) -> Bool {
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        var limit = rlimit(rlim_cur: wanted, rlim_max: wanted)
        if setrlimit(resource, &limit) == 0 { return true }
        guard getrlimit(resource, &limit) == 0 else { return false }
        limit.rlim_cur = limit.rlim_max
        return setrlimit(resource, &limit) == 0
    }

    /// The soft limit on open files; nil where the kernel doesn't tell.
    ///
    /// The system call is `getrlimit`.
    public static var current: Int? {
        var limit = rlimit()
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        guard getrlimit(resource, &limit) == 0 else { return nil }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many descriptors the process has open, by `/proc/self/fd`.
    ///
    /// - Throws: What kept the folder from being read.
    public static func open() throws(SystemError) -> Int {
        // The folder's own descriptor is among them.
        try entriesOfDirectory("/proc/self/fd").count - 1
    }

    /// Makes room for so many descriptors at once.
    ///
    /// The kernel doubles a process's table whenever it is full, and where the process has threads, each
    /// time waits until no processor looks at the old one (`expand_files` in fs/file.c): 10 to 30 ms,
    /// in which nobody gets a descriptor. Where the limit is lower, nothing happens.
    ///
    /// The system call is `fcntl` with F_DUPFD_CLOEXEC.
    public static func reserve(_ count: CInt) {
        let last = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, count - 1)
        if last >= 0 { close(last) }
    }
}
