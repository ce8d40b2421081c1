import Glibc
import Linux

/// Writes a small file in one go, as the files below `/proc/sys` want it.
func writeText(_ text: String, to path: String, flags: CInt = O_WRONLY) throws(SystemError) {
    let file = Descriptor(
        owning: try check("open", on: path) { open(path, flags | O_CLOEXEC, 0o644) })
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
        start += try check("write", on: path) {
            bytes[start...].withUnsafeBytes { write(file.rawValue, $0.baseAddress, $0.count) }
        }
    }
}

/// Reads a small file.
func readText(_ path: String) throws(SystemError) -> String {
    let file = try Descriptor(opening: path)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = try check("read", on: path) { read(file.rawValue, &chunk, chunk.count) }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk.prefix(count)
    }
}

/// Sets kernel parameters of the calling thread's network namespace.
func setParameters(_ values: [(path: String, value: String)]) throws(SystemError) {
    for (path, value) in values { try writeText(value, to: "/proc/sys/net/" + path) }
}
