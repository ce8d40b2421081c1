private import CLinux
private import FoundationEssentials
private import Glibc

/// What the process holds in memory without needing it.
public enum Memory {
    /// Bytes of the process that are in memory, from `/proc/self/statm`, which counts pages; 0 where
    /// there is no such file.
    public static var resident: UInt64 {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
            return 0
        }
        let words = text.split(separator: " ")
        return words.count > 1 ? (UInt64(words[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// Gives back what a start needed and the rest of the process's life doesn't: free heap, and
    /// pages of the program and its libraries that are never written to, which come back from the page
    /// cache when they are needed again.
    ///
    /// The calls are `malloc_trim` and `madvise`.
    public static func trim() {
        _ = linux_malloc_trim()
        linux_forget_program()
    }
}
