import Foundation
import PackagePlugin

/// Compiles `bpf/` whenever something in it, or what it shares with the agent, has changed.
@main
struct BPFObjectsPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let root = context.package.directoryURL
        let folder = root.appending(path: "bpf")
        let include = root.appending(path: "Sources/CBPF/include")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let inputs =
            names.filter { $0.hasSuffix(".c") || $0.hasSuffix(".h") }.sorted()
            .map { folder.appending(path: $0) } + [include.appending(path: "ringfence_abi.h")]
        let compiler = try context.tool(named: "EmbedBPF").url
        return [("host_filter", "hostFilter"), ("vary", "vary")].map { file, name in
            let output = context.pluginWorkDirectoryURL.appending(path: "\(name)Object.swift")
            return .buildCommand(
                displayName: "Compiling bpf/\(file).bpf.c", executable: compiler,
                arguments: [
                    folder.appending(path: "\(file).bpf.c").path, include.path, output.path, name,
                ],
                inputFiles: inputs, outputFiles: [output])
        }
    }
}
