private import CLinux

/// A filter of traffic control at an interface.
public struct PacketFilter: Hashable, Sendable {
    /// `bpf`, `flower`, `u32` and so on.
    public let kind: String
    /// What its owner calls it, where it is a program.
    public let name: String?
    /// The id of its program.
    public let program: UInt32?
    /// Whether all packets come to it and what its program says is done: it takes every protocol, stands in
    /// the first chain, and acts itself (`direct-action`).
    public let isBinding: Bool
}

/// Where filters of the clsact queueing discipline hang: linux/pkt_sched.h, TC_H_CLSACT.
public enum FilterHook: UInt32, Hashable, Sendable {
    /// What comes in at the interface.
    case ingress = 0xffff_fff2
    /// What goes out.
    case egress = 0xffff_fff3
}

/// linux/rtnetlink.h and linux/pkt_cls.h.
private enum TrafficControl {
    static let newQueue = 36
    static let getQueue = 38
    static let newFilter = 44
    static let getFilter = 46
    static let kind = 1
    static let options = 2
    static let programName = 7
    static let programID = 11
    static let programFlags = 8
    static let chain = 11
    /// TCA_BPF_FLAG_ACT_DIRECT.
    static let actsDirectly: UInt32 = 1
    /// ETH_P_ALL of linux/if_ether.h.
    static let everyProtocol: UInt16 = 3
    /// The size of `struct tcmsg`.
    static let headerSize = 20
}

extension RouteSocket {
    /// The interfaces whose filters are worth asking for: those with clsact or its forerunner.
    ///
    /// The request is RTM_GETQDISC.
    public mutating func interfacesWithFilterHooks() throws(SystemError) -> Set<Int32> {
        var request = NetlinkRequest(
            "RTM_GETQDISC", type: TrafficControl.getQueue, flags: NLM_F_DUMP)
        request.append(zeros: TrafficControl.headerSize)
        let found: [Int32?] = try dump(request, of: TrafficControl.newQueue) {
            payload throws(NetlinkParseError) in
            let attributes = payload.dropFirst(TrafficControl.headerSize)
            let kind = try attributes.attribute(TrafficControl.kind)?.zeroTerminatedText
            return kind == "clsact" || kind == "ingress" ? try payload.number(at: 4) : nil
        }
        return Set(found.compactMap(\.self))
    }

    /// The filters at a hook of an interface, in their order.
    ///
    /// The request is RTM_GETTFILTER.
    public mutating func filters(
        of interface: Int32, at hook: FilterHook
    ) throws(SystemError) -> [PacketFilter] {
        var request = NetlinkRequest(
            "RTM_GETTFILTER", type: TrafficControl.getFilter, flags: NLM_F_DUMP,
            subject: "interface \(interface)")
        request.append(zeros: 4)
        request.append(field: interface)
        request.append(field: UInt32(0))
        request.append(field: hook.rawValue)
        request.append(field: UInt32(0))
        return try dump(request, of: TrafficControl.newFilter) {
            payload throws(NetlinkParseError) in try PacketFilter(payload)
        }
    }
}

extension PacketFilter {
    /// Reads the payload of an RTM_NEWTFILTER message; nil for what only heads a list of filters.
    init?(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) {
        let handle: UInt32 = try payload.number(at: 8)
        let attributes = payload.dropFirst(TrafficControl.headerSize)
        guard handle != 0, let options = try attributes.attribute(TrafficControl.options) else {
            return nil
        }
        kind = try attributes.attribute(TrafficControl.kind)?.zeroTerminatedText ?? ""
        let isProgram = kind == "bpf"
        name =
            isProgram
            ? try options.attribute(TrafficControl.programName)?.zeroTerminatedText : nil
        program = isProgram ? try options.attribute(TrafficControl.programID)?.number(at: 0) : nil
        // The lower half of tcm_info, in network order.
        let ethernetProtocol = UInt16(bigEndian: try payload.number(at: 16))
        let chain: UInt32 = try attributes.attribute(TrafficControl.chain)?.number(at: 0) ?? 0
        let flags: UInt32 = try options.attribute(TrafficControl.programFlags)?.number(at: 0) ?? 0
        isBinding =
            ethernetProtocol == TrafficControl.everyProtocol && chain == 0
            && flags & TrafficControl.actsDirectly != 0
    }
}
