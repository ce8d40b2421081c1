package import HostRules

/// Where the agent looks and what it keeps.
public struct AgentConfiguration: Sendable {
    /// The directory of policy files.
    public var policies: String
    /// Folders in which namespaces are mounted.
    public var namespaceFolders: [String]
    /// Processes whose namespaces are looked at beside those that tenants name.
    public var pids: [Int32]
    /// The mount of the namespace that holds the host ends of the veths; nil is the agent's own.
    public var hostNamespace: String?
    /// Where counts are kept over restarts.
    public var stateDirectory: String
    /// How many refused flows are remembered.
    public var violations = 4096

    public var hostFilter = HostFilterMode.off
    public var hostFilterAttachment = HostFilterAttachment.auto
    /// Where the BPF file system is, or is to be mounted.
    public var bpfFileSystem = "/sys/fs/bpf"
    /// How large the host filter's maps may become.
    package var mostOfHostFilter = Capacity.most
    /// How long the host filter's maps have to be far too large before they shrink.
    package var shrinkPatience = Duration.seconds(60)
    /// How long an earlier agent may take to end: a stop waits 10 s for what is being written.
    package var claimPatience = Duration.seconds(15)
    /// The bits of a packet's mark in which the host filter tells who sent it.
    public var identityMask: UInt32 = 0xffff_0000

    public init(
        policies: String, namespaceFolders: [String] = ["/run/netns"], pids: [Int32] = [],
        hostNamespace: String? = nil, stateDirectory: String = "/var/lib/ringfence"
    ) {
        self.policies = policies
        self.namespaceFolders = namespaceFolders
        self.pids = pids
        self.hostNamespace = hostNamespace
        self.stateDirectory = stateDirectory
    }
}
