internal import CBPF
internal import Linux
public import NetTypes

/// Single flows, and what is held on behalf of an endpoint.
extension HostFilter {
    /// A flow as an endpoint's veth sees it.
    public struct Flow: Hashable, Sendable {
        /// The endpoint's address.
        public var local: IPAddress
        /// For ICMP the identifier.
        public var localPort: UInt16
        /// The other side's address.
        public var remote: IPAddress
        /// For ICMP type and code of the request.
        public var remotePort: UInt16
        /// The number that IANA has given.
        public var ipProtocol: UInt8

        public init(
            local: IPAddress, localPort: UInt16, remote: IPAddress, remotePort: UInt16,
            ipProtocol: UInt8
        ) {
            self.local = local
            self.localPort = localPort
            self.remote = remote
            self.remotePort = remotePort
            self.ipProtocol = ipProtocol
        }
    }

    /// How much is held on behalf of an endpoint.
    public struct Held: Hashable, Sendable {
        /// Flows in the table that it opened, wherever they go.
        public var opened: UInt64
        /// Flows in the table that somebody outside opened to it.
        public var outside: UInt64
        /// Refused flows.
        public var refused: UInt64

        public init(opened: UInt64, outside: UInt64, refused: UInt64) {
            self.opened = opened
            self.outside = outside
            self.refused = refused
        }
    }

    /// What is held on behalf of an endpoint.
    public func held(by endpoint: NamespaceID) throws(BPFError) -> Held {
        let (number, counts) = (
            try number(of: endpoint), maps.shares.counts(upTo: highestUsedNumber)
        )
        func count(_ kind: rf_usage) -> UInt64 {
            maps.shares.index(number, kind).map { counts[$0] } ?? 0
        }
        return Held(
            opened: count(RF_USAGE_OWN), outside: count(RF_USAGE_OUTSIDE),
            refused: count(RF_USAGE_REFUSED))
    }

    /// Which bucket of the table a flow belongs to: 16 have room in one.
    public func bucket(of flow: Flow, at endpoint: NamespaceID) throws(BPFError) -> Int {
        maps.flows.bucket(of: rf_flow_key(flow, at: try number(of: endpoint)))
    }

    /// Forgets a flow, as if it had been idle for too long.
    ///
    /// Of ICMP whoever asked.
    public func forget(_ flow: Flow, at endpoint: NamespaceID) throws(BPFError) {
        var key = rf_flow_key(flow, at: try number(of: endpoint))
        for isAsking in [0, 1] as [UInt8] {
            key.is_asking = isAsking
            try maps.flows.end(key)
            try maps.overflowFlows.remove(key)
        }
    }
}

extension rf_flow_key {
    fileprivate init(_ flow: HostFilter.Flow, at number: UInt32) {
        self.init(
            endpoint: UInt16(truncatingIfNeeded: number), protocol: flow.ipProtocol, is_asking: 0,
            local_port: flow.localPort, remote_port: flow.remotePort,
            local: rf_address(flow.local), remote: rf_address(flow.remote))
    }
}
