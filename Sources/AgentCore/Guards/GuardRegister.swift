public import NetTypes

/// Which links of the host stay closed although no endpoint is at them any more.
///
/// A link is *guarded* while an endpoint is at its other end. From then on it is never open again by itself: when
/// the agent loses sight of the endpoint, the link is *held*, which means closed and named in the status. It is
/// *released* when the link is gone, when an endpoint is at its other end again, or by an operator's word.
///
/// The addresses of an endpoint that went out of sight stay local for the same time: whoever has them now may not
/// speak as a part of the world.
public struct GuardRegister: Hashable, Sendable, Codable {
    /// An endpoint at the other end of a link, as it was last seen.
    public struct Occupant: Hashable, Sendable, Codable {
        public let tenant: String
        public let endpoint: String
        /// The addresses of its end of the link.
        public let addresses: [IPAddress]

        public init(tenant: String, endpoint: String, addresses: [IPAddress]) {
            self.tenant = tenant
            self.endpoint = endpoint
            self.addresses = addresses
        }
    }

    /// Why a link is closed.
    public enum Reason: String, Hashable, Sendable, Codable {
        /// Its other end is in no namespace that the agent finds.
        case outOfSight
        /// Its other end is in a namespace that no tenant claims any more.
        case unclaimed
        /// Its other end is in a namespace that several tenants claim.
        case contested
        /// An earlier agent guarded it, and which endpoint was there is not known.
        case inherited
    }

    /// A link that is closed.
    public struct HeldLink: Hashable, Sendable, Codable {
        /// Its index in the host namespace.
        public let interface: Int32
        public let name: String
        public let reason: Reason
        public let since: Timestamp
        /// Nil where that is not known.
        public let occupant: Occupant?
    }

    /// A veth of the host, and what is at its other end.
    public struct View: Hashable, Sendable {
        /// What is known of the other end.
        public enum FarEnd: Hashable, Sendable {
            case endpoint(Occupant)
            case unclaimed
            case contested
            case outOfSight
        }

        public let interface: Int32
        public let name: String
        public let farEnd: FarEnd

        public init(interface: Int32, name: String, farEnd: FarEnd) {
            self.interface = interface
            self.name = name
            self.farEnd = farEnd
        }
    }

    /// What an update changed.
    public struct Changes: Hashable, Sendable {
        /// Links that are closed from now on.
        public var held: [HeldLink] = []
        /// Links that are not held any more: an endpoint is there again, or the link is gone.
        public var ended: [HeldLink] = []

        /// Whether nothing changed.
        public var isEmpty: Bool { held.isEmpty && ended.isEmpty }
    }

    /// The boot in which the indices mean these links.
    private var boot: String?
    private var guarded: [Int32: Occupant] = [:]
    private var heldLinks: [Int32: HeldLink] = [:]
    /// Links that an operator released; forgotten when the link is gone or an endpoint's again.
    private var released: Set<Int32> = []

    /// Nothing is guarded or held.
    ///
    /// - Parameter boot: The kernel's `boot_id`; nil where it is not known.
    public init(boot: String?) { self.boot = boot }

    /// What is kept of it on disk, for an agent that starts now.
    ///
    /// - Parameter boot: The kernel's `boot_id` now.
    /// - Returns: The same, or an empty register after another boot, in which indices mean other links.
    public func resumed(in boot: String?) -> GuardRegister {
        boot != nil && boot == self.boot ? self : GuardRegister(boot: boot)
    }

    /// The closed links, by index.
    public var held: [Int32: HeldLink] { heldLinks }

    /// Addresses that were an endpoint's and may still answer behind a held link.
    public var retainedAddresses: Set<IPAddress> {
        Set(heldLinks.values.flatMap { $0.occupant?.addresses ?? [] })
    }

    /// Takes a complete look at the host's veths.
    ///
    /// - Parameters:
    ///   - views: All veths that the host namespace has now.
    ///   - moment: When it was.
    /// - Returns: The links that are held or not held any more since.
    public mutating func update(_ views: [View], at moment: Timestamp) -> Changes {
        var changes = Changes()
        var present: Set<Int32> = []
        for view in views.sorted(by: { $0.interface < $1.interface }) {
            present.insert(view.interface)
            take(view, at: moment, &changes)
        }
        for (interface, link) in heldLinks.sorted(by: { $0.key < $1.key })
        where !present.contains(interface) {
            heldLinks[interface] = nil
            changes.ended.append(link)
        }
        guarded = guarded.filter { present.contains($0.key) }
        released.formIntersection(present)
        return changes
    }

    private mutating func take(_ view: View, at moment: Timestamp, _ changes: inout Changes) {
        switch view.farEnd {
        case .endpoint(let occupant):
            guarded[view.interface] = occupant
            released.remove(view.interface)
            if let link = heldLinks.removeValue(forKey: view.interface) {
                changes.ended.append(link)
            }
        case .contested: hold(view, .contested, at: moment, &changes)
        case .unclaimed:
            if isKnown(view.interface) { hold(view, .unclaimed, at: moment, &changes) }
        case .outOfSight:
            if isKnown(view.interface) { hold(view, .outOfSight, at: moment, &changes) }
        }
    }

    private func isKnown(_ interface: Int32) -> Bool {
        guarded[interface] != nil || heldLinks[interface] != nil
    }

    private mutating func hold(
        _ view: View, _ reason: Reason, at moment: Timestamp, _ changes: inout Changes
    ) {
        guard !released.contains(view.interface) else { return }
        let before = heldLinks[view.interface]
        let occupant = guarded.removeValue(forKey: view.interface) ?? before?.occupant
        let kept = before?.reason == reason || before?.reason == .inherited && reason == .outOfSight
        let link = HeldLink(
            interface: view.interface, name: view.name,
            reason: kept ? before?.reason ?? reason : reason, since: before?.since ?? moment,
            occupant: occupant)
        heldLinks[view.interface] = link
        if before == nil { changes.held.append(link) }
    }

    /// Takes in a link that is closed in the kernel and not known here.
    ///
    /// - Parameters:
    ///   - interface: Its index in the host namespace.
    ///   - name: Its name.
    ///   - moment: When it was found.
    /// - Returns: The link, if it was not known.
    public mutating func adopt(
        _ interface: Int32, name: String, at moment: Timestamp
    ) -> HeldLink? {
        guard heldLinks[interface] == nil, guarded[interface] == nil else { return nil }
        let link = HeldLink(
            interface: interface, name: name, reason: .inherited, since: moment, occupant: nil)
        heldLinks[interface] = link
        return link
    }

    /// Ends the guard of a held link, by an operator's word.
    ///
    /// - Parameter name: The link's name in the host namespace.
    /// - Returns: The link; nil where no link of this name is held.
    public mutating func release(named name: String) -> HeldLink? {
        guard let link = heldLinks.values.first(where: { $0.name == name }) else { return nil }
        heldLinks[link.interface] = nil
        guarded[link.interface] = nil
        released.insert(link.interface)
        return link
    }
}

extension GuardRegister.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outOfSight: "its other end is in no network namespace that the agent finds"
        case .unclaimed: "no tenant claims the network namespace of its other end any more"
        case .contested: "several tenants claim the network namespace of its other end"
        case .inherited: "an earlier agent guarded it, and its endpoint is not known"
        }
    }
}
