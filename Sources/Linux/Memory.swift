private import CLinux

/// The process's heap.
public enum Memory {
    /// Gives what is free back to the system.
    ///
    /// The library call is `malloc_trim`.
    public static func trim() { _ = linux_malloc_trim() }
}
