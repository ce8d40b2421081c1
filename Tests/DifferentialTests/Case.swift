import HostFilter
import NetTypes
import Policy
import Rules
import TestSupport

/// The first packet of a flow in some form, and what each judge has to say to it.
struct Case {
    /// A packet on the wire, and what the host filter has to make of it.
    struct Step {
        let packet: Packet
        let direction: Direction
        let host: HostFate
    }

    /// What the table sees, whole, and what it has to make of it.
    struct Arrival {
        let number: UInt16
        let direction: Direction
        /// How it looks as a first packet.
        let flow: Flow
        let fate: Fate
        /// The rule that is credited.
        let credit: Credit?
        /// How nftables sees it without a flow; nil where it is cut off before.
        let key: PacketKey?
        /// Not so for what belongs to a flow that was there before.
        var opensFlow = true
    }

    let probe: Probe
    let form: Form
    /// What the evaluator says to the flow.
    let fate: Fate
    private(set) var steps: [Step] = []
    private(set) var arrivals: [Arrival] = []
    /// The flows that the host filter may know afterwards.
    private(set) var flows: [Flow]

    /// The case that takes the number, and the next one where it has two packets.
    init(_ probe: Probe, _ form: Form, number: UInt16, in scene: Scene) {
        self.probe = probe
        fate = scene.fate(of: probe)
        self.form = form.fitting(probe, fate)
        flows = [probe.flow]
        switch self.form {
        case .plain: open(.ordinary, number, scene)
        case .extensions(let chain): extend(chain, number, scene)
        case .fragments(let fragmentation): cut(fragmentation, number, scene)
        case .error(let error):
            if error.isOpened { open(.lasting, number, scene) }
            complain(error, number + 1, scene)
        }
    }

    /// The rule that is credited with the flow at the end that it meets.
    static func credit(_ fate: Fate, _ direction: Direction) -> Credit? {
        guard case .admitted(let rule) = fate else { return nil }
        return Credit(rule: rule.id, direction: direction)
    }

    private func hostFate(_ refusal: HostRefusal?) -> HostFate {
        if fate == .loopback { return .unseen }
        if let refusal { return .refused(refusal) }
        return Self.credit(fate, probe.direction).map { .passes($0, opensFlow: true) }
            ?? .refused(.refused)
    }

    private mutating func open(_ life: Packet.Life, _ number: UInt16, _ scene: Scene) {
        let packet = Packet(flow: probe.flow, number: number, life: life)
        add(packet, hostFate(scene.hostRefusal(of: probe, fate)))
        arrive(probe, fate, PacketKey(probe.flow), number)
    }

    /// The last header's protocol counts; the host filter follows the chain to a bound.
    private mutating func extend(_ chain: ExtensionChain, _ number: UInt16, _ scene: Scene) {
        let flow = probe.flow
        let next = flow.ipProtocol.rawValue
        let packet = Packet(
            source: flow.source, destination: flow.destination, number: number,
            next: chain.first(before: next), body: chain.bytes(before: next) + flow.opening())
        var refusal = chain.refusal(available: packet.body.count)
        if refusal != nil, probe.direction == .egress, !scene.isOwn(flow.source) {
            refusal = .spoofed
        }
        add(packet, hostFate(refusal ?? scene.hostRefusal(of: probe, fate)))
        arrive(probe, fate, chain.defragmented.seen(flow), number)
    }

    /// The table judges what its connection tracking has put together, the host filter each piece.
    private mutating func cut(_ form: Fragmentation, _ number: UInt16, _ scene: Scene) {
        let forged = Probe(direction: probe.direction, flow: probe.flow.forged)
        flows.append(forged.flow)
        var judge = FragmentJudge(form, probe, forged, in: scene)
        var reassembly = Reassembly()
        for piece in form.pieces {
            let flow = piece.isForged ? forged.flow : probe.flow
            let packet = form.packet(of: flow, piece, number)
            add(packet, fate == .loopback ? .unseen : judge.fate(of: piece))
            let current = piece.isForged ? forged : probe
            if form.isLeftAlone(piece, of: flow) {
                arrive(piece, of: current, form, number, scene)
            } else if let holder = reassembly.take(piece, byte: form.after.length) {
                // What is forged is at the start of the transport part, whichever piece brings it.
                let whole = holder.isForged ? forged : probe
                let fate = scene.fate(of: whole)
                arrive(whole, fate, form.whole.seen(whole.flow), number)
            }
        }
    }

    /// A piece that is judged by itself: what needs ports can't be told from it.
    private mutating func arrive(
        _ piece: Fragmentation.Piece, of probe: Probe, _ form: Fragmentation, _ number: UInt16,
        _ scene: Scene
    ) {
        var fate = scene.fate(of: probe)
        let needsPorts = probe.flow.ipProtocol.hasPorts || probe.flow.ipProtocol.isICMP
        switch fate {
        case .admitted where needsPorts, .refused(.refused) where needsPorts:
            fate = .refused(.invalid)
        default: break
        }
        let isSeen =
            form.whole.hasAuthentication || piece.range.count >= form.after.length + 4
        arrive(probe, fate, isSeen ? form.alone.seen(probe.flow) : nil, number)
    }

    /// Errors about a live flow belong to that flow and pass with it; about anything else they are
    /// invalid.
    private mutating func complain(_ error: QuotingError, _ number: UInt16, _ scene: Scene) {
        let way = error.way(about: probe.flow, scene)
        let isKnown =
            error.isOpened && way.destination == error.quoted(of: probe.flow).source
            && !error.isFalse(about: probe.flow)
        let credit = isKnown ? Self.credit(fate, probe.direction) : nil
        let isSpoofed = scene.isSpoofed(way.source, way.direction)
        let message = error.message(about: probe.flow, number: number)
        let ipProtocol = probe.flow.source.family == .v4 ? IPProtocol.icmp : .icmpv6
        let packet = Packet(
            source: way.source, destination: way.destination, number: number,
            next: ipProtocol.rawValue, body: message)
        let flow = Flow(
            source: way.source, destination: way.destination, ipProtocol: ipProtocol,
            type: error.type, code: error.code)
        let isRedirect = ipProtocol == .icmp && error.type == 5
        let host: HostFate =
            if isSpoofed {
                .refused(.spoofed)
            } else if isRedirect {
                .refused(.router)
            } else if let credit, !error.isTooShort(for: probe.flow), scene.isReadable(error.chain),
                scene.believes(way.source, about: probe)
            {
                .passes(credit, opensFlow: false)
            } else {
                .refused(.invalid)
            }
        steps.append(Step(packet: packet, direction: way.direction, host: host))
        let spoofing: Refusal = way.direction == .egress ? .spoofed : .ownOutside
        arrivals.append(
            Arrival(
                number: number, direction: way.direction, flow: flow,
                fate: isSpoofed ? .refused(spoofing) : credit == nil ? .refused(.invalid) : fate,
                credit: isSpoofed ? nil : credit, key: PacketKey(flow), opensFlow: false))
    }

    private mutating func add(_ packet: Packet, _ host: HostFate) {
        steps.append(Step(packet: packet, direction: probe.direction, host: host))
    }

    private mutating func arrive(
        _ probe: Probe, _ fate: Fate, _ key: PacketKey?, _ number: UInt16
    ) {
        arrivals.append(
            Arrival(
                number: number, direction: probe.direction, flow: probe.flow, fate: fate,
                credit: Self.credit(fate, probe.direction), key: key))
    }
}

extension Case {
    /// Whether its flow goes on, for what follows.
    var isLasting: Bool { steps.contains { $0.packet.life == .lasting } }
}

extension Case.Arrival {
    /// Whether it is refused, and nothing of it can be kept.
    var isUnkept: Bool { !fate.passes && refusedFlow == nil }

    /// What the table keeps of the refused packet.
    var refusedFlow: RefusedFlow? {
        guard case .refused(let reason) = fate else { return nil }
        let flowKey = PacketKey(
            ipProtocol: flow.ipProtocol.rawValue, words: (flow.sourcePort, flow.destinationPort))
        guard let key = reason == .refused ? flowKey : key else { return nil }
        return RefusedFlow(
            reason: reason, source: flow.source, destination: flow.destination,
            ipProtocol: key.ipProtocol, sourcePort: key.words.0, destinationPort: key.words.1)
    }
}

/// A rule at one end.
struct Credit: Hashable {
    let rule: RuleID
    let direction: Direction
}
