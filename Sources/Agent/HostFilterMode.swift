/// Whether eBPF programs stand at the host ends of the veths.
public enum HostFilterMode: String, Hashable, Sendable, CaseIterable {
    /// The tables inside the endpoints are the only layer.
    case off
    /// Both layers: a packet passes where both let it.
    case on
    /// The programs are the only layer; nothing is put into the endpoints.
    case only
}

/// How the programs come to the host ends of the veths.
public enum HostFilterAttachment: String, Hashable, Sendable, CaseIterable {
    /// By links where the kernel has them, else by filters.
    case auto
    /// By TCX links: Linux 6.6 or later.
    case tcx
    /// By filters of the clsact queueing discipline.
    case clsact
}
