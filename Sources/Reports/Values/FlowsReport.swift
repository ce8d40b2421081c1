public import NetTypes
public import Policy

/// Flows that the kernel tracks at this moment.
public struct FlowsReport: Hashable, Sendable, Codable {
    /// By tenant, endpoint, then by addresses and ports.
    public var flows: [LiveFlow]
    /// How many more there are than were asked for.
    public var left: Int

    public init(flows: [LiveFlow], left: Int = 0) {
        self.flows = flows
        self.left = left
    }
}

/// A flow as one endpoint sees it, and the rule that admitted it there.
public struct LiveFlow: Hashable, Sendable, Codable {
    public var tenant: String
    public var endpoint: String
    /// Egress where the endpoint called, ingress where it was called.
    public var direction: Direction
    /// The tenant at the other end; nil if the address is nobody's endpoint.
    public var peerTenant: String?
    public var source: IPAddress
    public var destination: IPAddress
    public var ipProtocol: IPProtocol
    public var ports: Violation.Ports?
    public var layer: Violation.Layer
    /// The live rule whose mark the flow carries; nil where the flow's next packet is judged like a first one.
    public var rule: RuleReference?
    /// What the policies in force say to a flow without a live rule; nil where it has one, or where they
    /// are not what is in force.
    public var next: NextVerdict?
    /// Seconds until the kernel forgets the flow if nothing comes.
    public var expiresIn: UInt32?

    public init(
        tenant: String, endpoint: String, direction: Direction, peerTenant: String? = nil,
        source: IPAddress, destination: IPAddress, ipProtocol: IPProtocol,
        ports: Violation.Ports? = nil, layer: Violation.Layer, rule: RuleReference? = nil,
        next: NextVerdict? = nil, expiresIn: UInt32? = nil
    ) {
        self.next = next
        self.tenant = tenant
        self.endpoint = endpoint
        self.direction = direction
        self.peerTenant = peerTenant
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.ports = ports
        self.layer = layer
        self.rule = rule
        self.expiresIn = expiresIn
    }
}

/// What becomes of a flow at its next packet.
public struct NextVerdict: Hashable, Sendable, Codable {
    public var isAdmitted: Bool
    /// The rule that will admit it; nil if none does.
    public var rule: RuleReference?

    public init(rule: RuleReference?) {
        self.rule = rule
        isAdmitted = rule != nil
    }
}

/// Which flows are asked for.
public struct FlowsQuestion: Hashable, Sendable {
    /// Only flows of this tenant's endpoints.
    public var tenant: String?
    /// How many at most.
    public var limit: Int

    public init(tenant: String? = nil, limit: Int = 1000) {
        self.tenant = tenant
        self.limit = limit
    }
}
