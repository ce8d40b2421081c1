import HostFilter
import NetTypes
import Policy
import TestSupport

/// What the host filter makes of fragments: the later ones share the fate of the first, those
/// before it are refused, and so is what could write over TCP's flags.
struct FragmentJudge {
    private let form: Fragmentation
    private let probe: Probe
    private let forged: Probe
    private let scene: Scene
    /// The rule that admitted the first one.
    private var admitted: Credit?
    private var opened: Set<Flow> = []

    init(_ form: Fragmentation, _ probe: Probe, _ forged: Probe, in scene: Scene) {
        self.form = form
        self.probe = probe
        self.forged = forged
        self.scene = scene
    }

    mutating func fate(of piece: Fragmentation.Piece) -> HostFate {
        let isForeign = probe.direction == .egress && !scene.isOwn(probe.flow.source)
        if let refusal = chainRefusal { return .refused(isForeign ? .spoofed : refusal) }
        guard piece.range.lowerBound == 0 else {
            if scene.isSpoofed(probe.flow.source, probe.direction) { return .refused(.spoofed) }
            guard let admitted, piece.range.lowerBound != 8 else { return .refused(.fragment) }
            return .passes(admitted, opensFlow: false)
        }
        let probe = piece.isForged ? forged : probe
        if let refusal = startRefusal(piece, probe.flow) {
            return .refused(isForeign ? .spoofed : refusal)
        }
        let fate = scene.fate(of: probe)
        if let refusal = scene.hostRefusal(of: probe, fate) {
            // What opens no flow is not remembered; what was refused is.
            if !probe.flow.isError, scene.unread(probe.flow) == nil { admitted = nil }
            return .refused(refusal)
        }
        admitted = Case.credit(fate, probe.direction)
        return admitted.map { .passes($0, opensFlow: opened.insert(probe.flow).inserted) }
            ?? .refused(.refused)
    }

    /// Up to the fragment header, which is one of the chain.
    private var chainRefusal: HostRefusal? {
        guard probe.flow.source.family == .v6 else { return nil }
        var chain = form.before
        chain.headers.append(.init(number: ExtensionChain.fragment, length: 8))
        return chain.refusal(available: .max)
    }

    /// A first fragment has to hold all that is asked for.
    private func startRefusal(_ piece: Fragmentation.Piece, _ flow: Flow) -> HostRefusal? {
        let earlier = form.before.headers.count + 1
        if let refusal = form.after.refusal(
            after: earlier, available: piece.range.count, isFragment: true)
        {
            return refusal
        }
        if scene.isOfOtherFamily(flow) { return .invalid }
        return piece.range.count - form.after.length < flow.shortestOpening ? .fragment : nil
    }
}

extension Fragmentation {
    /// A piece of the flow's first packet.
    func packet(of flow: Flow, _ piece: Piece, _ number: UInt16) -> Packet {
        let last = flow.ipProtocol.rawValue
        let whole = after.bytes(before: last) + flow.opening(padding: padding)
        let body = Array(whole[piece.range.clamped(to: whole.indices)])
        let offset = UInt16(piece.range.lowerBound)
        guard flow.source.family == .v6 else {
            return Packet(
                source: flow.source, destination: flow.destination, number: number, next: last,
                fragment: offset / 8 | (piece.isLast ? 0 : 0x2000), body: body)
        }
        let header =
            [after.first(before: last), 0] + (offset | (piece.isLast ? 0 : 1)).networkBytes
            + UInt32(number).networkBytes
        return Packet(
            source: flow.source, destination: flow.destination, number: number,
            next: before.first(before: ExtensionChain.fragment),
            body: before.bytes(before: ExtensionChain.fragment) + header + body)
    }
}

extension Flow {
    /// The same with another destination port, or another message.
    var forged: Flow {
        Flow(
            source: source, destination: destination, ipProtocol: ipProtocol,
            sourcePort: sourcePort,
            destinationPort: ipProtocol.hasPorts || ipProtocol.isICMP ? destinationPort ^ 1 : 0)
    }
}
