import NetTypes

/// The names of ICMP message types, after the IANA registries "ICMP Type Numbers" and "ICMPv6
/// 'type' Numbers".
enum ICMPTypeNames {
    static func names(of number: IPProtocol) -> [(name: String, type: UInt8)] {
        number == .icmp ? v4 : v6
    }

    static func type(_ name: String, of number: IPProtocol) -> UInt8? {
        names(of: number).first { $0.name == name }?.type
    }

    private static let v4: [(name: String, type: UInt8)] = [
        ("echo-reply", 0),
        ("destination-unreachable", 3),
        ("source-quench", 4),
        ("redirect", 5),
        ("echo-request", 8),
        ("router-advertisement", 9),
        ("router-solicitation", 10),
        ("time-exceeded", 11),
        ("parameter-problem", 12),
        ("timestamp-request", 13),
        ("timestamp-reply", 14),
        ("information-request", 15),
        ("information-reply", 16),
        ("address-mask-request", 17),
        ("address-mask-reply", 18),
        ("traceroute", 30),
        ("photuris", 40),
        ("extended-echo-request", 42),
        ("extended-echo-reply", 43),
    ]

    private static let v6: [(name: String, type: UInt8)] = [
        ("destination-unreachable", 1),
        ("packet-too-big", 2),
        ("time-exceeded", 3),
        ("parameter-problem", 4),
        ("echo-request", 128),
        ("echo-reply", 129),
        ("multicast-listener-query", 130),
        ("multicast-listener-report", 131),
        ("multicast-listener-done", 132),
        ("router-solicitation", 133),
        ("router-advertisement", 134),
        ("neighbor-solicitation", 135),
        ("neighbor-advertisement", 136),
        ("redirect", 137),
        ("router-renumbering", 138),
        ("node-information-query", 139),
        ("node-information-response", 140),
        ("inverse-neighbor-discovery-solicitation", 141),
        ("inverse-neighbor-discovery-advertisement", 142),
        ("multicast-listener-report-v2", 143),
        ("home-agent-address-discovery-request", 144),
        ("home-agent-address-discovery-reply", 145),
        ("mobile-prefix-solicitation", 146),
        ("mobile-prefix-advertisement", 147),
        ("certification-path-solicitation", 148),
        ("certification-path-advertisement", 149),
        ("multicast-router-advertisement", 151),
        ("multicast-router-solicitation", 152),
        ("multicast-router-termination", 153),
        ("fmipv6", 154),
        ("rpl-control", 155),
        ("duplicate-address-request", 157),
        ("duplicate-address-confirmation", 158),
        ("extended-echo-request", 160),
        ("extended-echo-reply", 161),
    ]
}
