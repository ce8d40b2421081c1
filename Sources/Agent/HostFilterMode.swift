/// Whether eBPF programs stand at the host ends of the veths.
public enum HostFilterMode: String, Hashable, Sendable, CaseIterable {
    /// The tables inside the endpoints are the only layer.
    case off
    /// Both layers: a packet passes where both let it.
    case on
    /// The programs are the only layer; nothing is put into the endpoints.
    case only
}
