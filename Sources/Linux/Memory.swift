private import CLinux
private import Glibc

/// What the process holds in memory without needing it.
public enum Memory {
    /// Gives back what a start needed and the rest of the process's life doesn't: free heap, and
    /// pages of program text, which come back from the page cache when they are called again.
    ///
    /// The calls are `malloc_trim` and `madvise`.
    public static func trim() {
        _ = linux_malloc_trim()
        for text in executableMappings() {
            // Only what can be executed: it is never written to, so nothing can be lost.
            guard let start = UnsafeMutableRawPointer(bitPattern: text.lowerBound) else { continue }
            _ = madvise(start, text.count, MADV_DONTNEED)
        }
    }

    /// Where the text of the program's own file lies.
    private static func executableMappings() -> [Range<UInt>] {
        guard let maps = fopen("/proc/self/maps", "r"), let program = programPath() else {
            return []
        }
        defer { fclose(maps) }
        var ranges: [Range<UInt>] = []
        var line = [CChar](repeating: 0, count: 8192)
        while fgets(&line, CInt(line.count), maps) != nil {
            let bytes = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
            let fields = String(decoding: bytes, as: UTF8.self)
                .split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1] == "r-xp",
                fields[5].drop(while: { $0 == " " }) == program
            else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2, bounds[0] < bounds[1] { ranges.append(bounds[0]..<bounds[1]) }
        }
        return ranges
    }

    private static func programPath() -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { start in
                readlink(
                    "/proc/self/exe", start.assumingMemoryBound(to: CChar.self), buffer.count)
            } ?? 0
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
