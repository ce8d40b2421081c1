/// One way through an interface of the host, with everything that stands on it.
public struct HostHook: Hashable, Sendable {
    public let interface: UInt32
    public let name: String
    /// Whether it sees what comes from the endpoint.
    public let isFromEndpoint: Bool
    /// In the order in which they run.
    public let standing: [Standing]

    public init(
        interface: UInt32, name: String, isFromEndpoint: Bool, standing: [Standing]
    ) {
        self.interface = interface
        self.name = name
        self.isFromEndpoint = isFromEndpoint
        self.standing = standing
    }

    public struct Standing: Hashable, Sendable {
        /// `xdp`, `tcx`, or the kind of a filter of clsact.
        public let kind: String
        public let name: String
        /// Nil for what is no program.
        public let program: UInt32?
        public let isPinned: Bool

        public init(kind: String, name: String, program: UInt32?, isPinned: Bool) {
            self.kind = kind
            self.name = name
            self.program = program
            self.isPinned = isPinned
        }
    }
}

/// A program as the kernel tells of it.
public struct HostProgram: Hashable, Sendable {
    public let name: String
    /// A hash of its instructions, in hexadecimal digits.
    public let tag: String
    /// The ids of the maps that it uses, by name.
    public let maps: [String: UInt32]
    /// As the kernel shows them, with the ids of maps; empty where it doesn't.
    public let instructions: [UInt64]
    /// What its instructions read besides maps and settings.
    public let constants: [UInt8]
    public let settings: HostSettings?

    public init(
        name: String, tag: String, maps: [String: UInt32], instructions: [UInt64],
        constants: [UInt8], settings: HostSettings?
    ) {
        self.name = name
        self.tag = tag
        self.maps = maps
        self.instructions = instructions
        self.constants = constants
        self.settings = settings
    }
}

/// What is fixed when programs are loaded, as far as it decides.
public struct HostSettings: Hashable, Sendable {
    public let identityMask: UInt32
    public let identityShift: UInt32
    public let bucketMask: UInt32
    public let isAlone: Bool
    /// What flows are hashed with.
    public let seeds: [UInt64]

    public init(
        identityMask: UInt32, identityShift: UInt32, bucketMask: UInt32, isAlone: Bool,
        seeds: [UInt64]
    ) {
        self.identityMask = identityMask
        self.identityShift = identityShift
        self.bucketMask = bucketMask
        self.isAlone = isAlone
        self.seeds = seeds
    }
}

/// The programs of the build at hand, loaded over the pinned maps and attached nowhere.
public struct HostReference: Hashable, Sendable {
    public let from: HostProgram
    public let to: HostProgram
    /// What the settings would be.
    public let buckets: Int
    public let mayBeAlone: Bool

    public init(from: HostProgram, to: HostProgram, buckets: Int, mayBeAlone: Bool) {
        self.from = from
        self.to = to
        self.buckets = buckets
        self.mayBeAlone = mayBeAlone
    }
}
