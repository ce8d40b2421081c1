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
