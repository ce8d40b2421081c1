import Foundation

/// Compiles an eBPF program with the toolchain's clang and writes it as a Swift file.
///
/// Usage: EmbedBPF SOURCE INCLUDE-FOLDER OUTPUT NAME
@main
struct EmbedBPF {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5 else {
            fail("usage: EmbedBPF SOURCE INCLUDE-FOLDER OUTPUT NAME")
        }
        let (source, include, output) = (arguments[1], arguments[2], arguments[3])
        let object = output + ".o"
        try compile(source, including: include, to: object)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: object))
        // A string compiles at once, an array of so many numbers takes seconds.
        let text = """
            extension BPFObjects {
                static let \(arguments[4])Base64: StaticString = "\(bytes.base64EncodedString())"
            }

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: output))
    }

    private static func compile(
        _ source: String, including include: String, to object: String
    ) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try clang())
        process.arguments =
            ["-O2", "-g", "-target", "bpf", "-Wall", "-Werror", "-I", include]
            + multiarchIncludes() + ["-c", source, "-o", object]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            fail("clang can't compile \(source): it needs libbpf-dev and linux-libc-dev")
        }
    }

    /// Beside the compiler that is in use, else anywhere.
    private static func clang() throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        let folders = path.split(separator: ":").map(String.init)
        let compilers = folders.map { $0 + "/swiftc" }.filter(isExecutable)
        let beside = compilers.map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath().deletingLastPathComponent().path
        }
        guard let found = (beside + folders).map({ $0 + "/clang" }).first(where: isExecutable)
        else { fail("there is no clang beside the Swift compiler and none in PATH") }
        return found
    }

    private static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: path)
    }

    /// Debian keeps `asm` below a folder of the architecture.
    private static func multiarchIncludes() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/include")) ?? []
        return names.filter { $0.hasSuffix("-linux-gnu") }.sorted()
            .flatMap { ["-I", "/usr/include/" + $0] }
    }

    private static func fail(_ message: String) -> Never {
        FileHandle.standardError.write(Data("error: \(message)\n".utf8))
        exit(1)
    }
}
