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
        let output = context.pluginWorkDirectoryURL.appending(path: "HostFilterObject.swift")
        return [
            .buildCommand(
                displayName: "Compiling bpf/host_filter.bpf.c",
                executable: try context.tool(named: "EmbedBPF").url,
                arguments: [
                    folder.appending(path: "host_filter.bpf.c").path, include.path, output.path,
                ],
                inputFiles: inputs, outputFiles: [output])
        ]
    }
}
