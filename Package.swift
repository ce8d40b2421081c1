// swift-tools-version: 6.2
import PackageDescription

/// For a tool that the build itself runs.
let tool: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// With RINGFENCE_FUZZ=1 the code tells libFuzzer which of its branches were taken, and there is a program
/// that libFuzzer drives.
let isFuzzed = Context.environment["RINGFENCE_FUZZ"] == "1"

let shell = tool + (isFuzzed ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

/// Optimised in a debug build as well: tests judge millions of packets with it.
let optimized: [SwiftSetting] =
    shell + (isFuzzed ? [] : [.unsafeFlags(["-O"], .when(configuration: .debug))])

/// The core is values in, values out: no unsafe construct compiles there.
let core: [SwiftSetting] = optimized + [.strictMemorySafety()]

let package = Package(
    name: "ringfence",
    products: [.executable(name: "ringfence", targets: ["CLI"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // libyaml's C module is a part of Yams; nothing of it shows in what this one offers.
        .target(
            name: "YAML", dependencies: [.product(name: "Yams", package: "Yams")],
            swiftSettings: shell),

        // Core: values only.
        .target(name: "NetTypes", swiftSettings: core),
        .target(
            name: "Policy",
            dependencies: [
                "NetTypes", "YAML",
                .product(name: "HashTreeCollections", package: "swift-collections"),
            ],
            swiftSettings: core),
        .target(name: "Rules", dependencies: ["NetTypes"], swiftSettings: core),
        .target(
            name: "Compiler",
            dependencies: [
                "NetTypes", "Policy", "Rules",
                .product(name: "Collections", package: "swift-collections"),
            ],
            swiftSettings: core),
        .target(name: "HostRules", dependencies: ["NetTypes", "Rules"], swiftSettings: core),
        // Shares nothing with Compiler and Rules, so that it can judge what they made.
        .target(name: "Verifier", dependencies: ["NetTypes", "Policy"], swiftSettings: core),
        .target(
            name: "Reports", dependencies: ["NetTypes", "Policy", "Rules"], swiftSettings: core),

        // What the agent decides, without a kernel: time comes in as an argument.
        .target(
            name: "AgentCore", dependencies: ["NetTypes", "Policy", "Reports"],
            swiftSettings: core),

        .target(
            name: "Evidence",
            dependencies: [
                "NetTypes", "Policy", "Reports", "Verifier",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: core),

        // C.
        .target(name: "CLinux"),
        .systemLibrary(
            name: "CNetfilter", pkgConfig: "libnftnl",
            providers: [.apt(["libnftnl-dev", "libmnl-dev"])]),

        .target(
            name: "CBPF",
            linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf"), .linkedLibrary("z")]),

        // The eBPF programs, compiled by the build and carried inside the binary.
        .executableTarget(name: "EmbedBPF", swiftSettings: tool),
        .plugin(
            name: "BPFObjectsPlugin", capability: .buildTool(), dependencies: ["EmbedBPF"],
            path: "Plugins/BPFObjects"),
        .target(
            name: "BPFObjects", swiftSettings: shell, plugins: ["BPFObjectsPlugin"]),

        // Shell: input and output.
        .target(
            name: "Linux",
            dependencies: [
                "CLinux", "NetTypes", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: optimized),
        .target(
            name: "Nftables", dependencies: ["CNetfilter", "Linux", "NetTypes", "Rules"],
            swiftSettings: optimized),
        .target(
            name: "KernelReader", dependencies: ["Linux", "NetTypes", "Nftables", "Verifier"],
            swiftSettings: optimized),
        .target(
            name: "Audit",
            dependencies: [
                "HostFilter", "KernelReader", "Linux", "NetTypes", "Nftables", "Policy", "Verifier",
            ],
            swiftSettings: optimized),
        .target(
            name: "HostFilter",
            dependencies: [
                "BPFObjects", "CBPF", "HostRules", "Linux", "NetTypes", "Rules", "Verifier",
            ],
            swiftSettings: optimized),
        .target(
            name: "Agent",
            dependencies: [
                "AgentCore", "HostFilter", "HostRules",
                "Compiler", "Linux", "NetTypes", "Nftables", "Policy", "Reports", "Rules", "Store",
                .product(name: "Collections", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: optimized),
        .target(
            name: "API",
            dependencies: [
                "Linux", "NetTypes", "Policy", "Reports",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            // The page is carried inside the binary.
            resources: [.embedInCode("page.html")],
            swiftSettings: shell),
        .target(
            name: "Sinks", dependencies: ["Linux", "Reports"], swiftSettings: shell),
        .target(
            name: "Settings",
            dependencies: [
                "API", "Agent", "Linux", "Policy", "Reports", "Sinks",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: shell),
        .target(
            name: "Store",
            dependencies: [
                "Linux", "NetTypes", "Policy", "Reports",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: shell),
        .target(
            name: "Lab",
            dependencies: [
                "Linux", "NetTypes", "Policy", .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: shell),
        .target(
            name: "CNI", dependencies: ["API", "NetTypes", "Reports"], swiftSettings: shell),
        .executableTarget(
            name: "CLI",
            dependencies: [
                "Agent", "API", "Audit", "CNI", "Compiler", "Evidence", "KernelReader", "Lab",
                "Linux", "NetTypes",
                "Nftables", "Policy", "Reports", "Rules", "Settings", "Sinks", "Store", "Verifier",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: shell),

        // In this package, so that the dependencies are built once; no product contains it.
        .executableTarget(
            name: "Bench",
            dependencies: [
                "API", "HostFilter", "HostRules", "Lab", "Linux", "NetTypes", "Reports", "Rules",
                "Verifier",
            ],
            path: "Benchmarks", swiftSettings: shell),

        // Tests.
        .target(
            name: "TestSupport",
            dependencies: ["Compiler", "Linux", "NetTypes", "Policy", "Rules"],
            path: "Tests/TestSupport", swiftSettings: optimized),
        .target(
            name: "Readers",
            dependencies: [
                "CBPF", "CLinux", "CNI", "HostFilter", "KernelReader", "Linux", "NetTypes",
                "Nftables", "Policy", "Reports", "Verifier",
            ],
            path: "Tests/Readers", swiftSettings: shell),
        .testTarget(
            name: "NetTypesTests", dependencies: ["NetTypes", "TestSupport"],
            swiftSettings: shell),
        .testTarget(
            name: "PolicyTests", dependencies: ["NetTypes", "Policy"],
            exclude: ["BadPolicies", "GoodPolicies", "validate_schema.py"],
            swiftSettings: shell),
        .testTarget(
            name: "LinuxTests", dependencies: ["CLinux", "Linux", "NetTypes"],
            swiftSettings: shell),
        .testTarget(
            name: "LabTests", dependencies: ["Lab", "Linux", "NetTypes", "Policy"],
            swiftSettings: shell),
        .testTarget(
            name: "CompilerTests",
            dependencies: ["Compiler", "NetTypes", "Policy", "Rules", "TestSupport"],
            exclude: ["Golden"], swiftSettings: optimized),
        .testTarget(
            name: "ReportsTests", dependencies: ["NetTypes", "Policy", "Reports"],
            swiftSettings: shell),
        .testTarget(
            name: "EvidenceTests",
            dependencies: [
                "Evidence", "Lab", "Linux", "NetTypes", "Policy", "Reports", "TestSupport",
                "Verifier",
            ],
            exclude: ["check_reports.py"], swiftSettings: optimized),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "NetTypes", "Policy", "Reports",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: shell),
        .testTarget(
            name: "HostFilterTests",
            dependencies: [
                "CBPF", "HostFilter", "HostRules", "Linux", "NetTypes", "Rules", "TestSupport",
            ],
            swiftSettings: shell),
        .testTarget(
            name: "CNITests", dependencies: ["CNI", "NetTypes"], swiftSettings: shell),
        .testTarget(
            name: "SinkTests", dependencies: ["Linux", "NetTypes", "Reports", "Sinks"],
            swiftSettings: shell),
        .testTarget(
            name: "SettingsTests",
            dependencies: [
                "API", "Agent", "Reports", "Settings", "Sinks",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: shell),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "CLinux", "Linux", "NetTypes", "Nftables", "Readers", "Rules", "TestSupport",
            ],
            exclude: ["Corpus"], swiftSettings: shell),
        .testTarget(
            name: "AgentCoreTests", dependencies: ["AgentCore", "NetTypes", "Policy", "Reports"],
            swiftSettings: shell),
        .testTarget(
            name: "AgentTests", dependencies: ["Agent", "Linux", "NetTypes", "Policy", "Rules"],
            swiftSettings: shell),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Linux", "NetTypes", "Policy", "Reports", "Store",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["Fixtures"], swiftSettings: shell),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "Agent", "Audit", "CLinux", "HostFilter", "HostRules", "Lab", "Linux", "NetTypes",
                "Nftables", "Policy", "Reports", "Rules", "TestSupport", "Verifier",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: shell),
        .testTarget(
            name: "DifferentialTests",
            dependencies: [
                "BPFObjects", "CBPF", "Compiler", "HostFilter", "HostRules", "KernelReader",
                "Linux",
                "NetTypes", "Nftables", "Policy", "Rules", "TestSupport", "Verifier",
            ],
            exclude: ["Golden"], swiftSettings: optimized),
    ]
)

if isFuzzed {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["Readers"], path: "Tests/Fuzz",
            swiftSettings: shell + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
