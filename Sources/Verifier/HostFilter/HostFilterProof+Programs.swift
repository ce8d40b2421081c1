internal import NetTypes
internal import Policy

/// Whether what runs is what this build ships.
extension HostFilterProof {
    enum Likeness: Hashable {
        /// Instruction by instruction, over the pinned maps.
        case own
        /// Ours by its name, and not the one of this build.
        case otherBuild
        /// The same instructions, with other maps.
        case otherMaps
        /// The kernel shows no instructions to compare.
        case hidden
        case stranger
    }

    mutating func hold(_ post: HostPost, isFromEndpoint: Bool) {
        let hook = state.hooks.first {
            $0.interface == post.interface && $0.isFromEndpoint == isFromEndpoint
        }
        let standing = hook?.standing ?? []
        let likenesses = standing.map { one in
            one.program.map { likeness($0, isFromEndpoint) } ?? .stranger
        }
        audit.posts.append(
            PostAudit(
                interface: Int32(bitPattern: post.interface), name: post.name,
                endpoint: party(post.endpoint), hook: isFromEndpoint ? "ingress" : "egress",
                programs: zip(standing, likenesses).map { attached($0, $1) }))
        let place = "\(isFromEndpoint ? "ingress" : "egress") of \(post.name)"
        guard let ours = likenesses.firstIndex(where: { $0 != .stranger }) else {
            let names = standing.map(words).joined(separator: ", ")
            let isReplaced = standing.contains { $0.isPinned || isAtOurPlace($0) }
            return report(
                isReplaced ? .replaced : .detached, post, place,
                standing.isEmpty ? "no program stands there" : "there is only \(names)")
        }
        for other in standing[..<ours] { doubt(other, "before", post, place) }
        // What an endpoint gets could still be changed after ours has let it pass; what becomes of
        // what it sent is the host's affair, unless it is given another number.
        for (other, likeness) in zip(standing, likenesses).dropFirst(ours + 1)
        where likeness != .own && (!isFromEndpoint || likeness != .stranger || isAtOurPlace(other))
        {
            doubt(other, "after", post, place)
        }
        doubt(likenesses[ours], standing[ours], isFromEndpoint, post, place)
    }

    /// Whether a program has a map of endpoints, or just the one that others have.
    func isAtOurPlace(
        _ standing: HostHook.Standing, sharing maps: [String: UInt32]? = nil
    ) -> Bool {
        guard let map = standing.program.flatMap({ state.programs[$0]?.maps["endpoints"] }) else {
            return false
        }
        return maps == nil || maps?["endpoints"] == map
    }

    func likeness(_ id: UInt32, _ isFromEndpoint: Bool) -> Likeness {
        guard let program = state.programs[id] else { return .stranger }
        let name = isFromEndpoint ? "from_endpoint" : "to_endpoint"
        guard let reference = isFromEndpoint ? state.reference?.from : state.reference?.to else {
            return program.name == name ? .otherBuild : .stranger
        }
        guard program.tag == reference.tag else {
            return program.name == name ? .otherBuild : .stranger
        }
        if program.maps != reference.maps { return .otherMaps }
        if program.instructions.isEmpty || reference.instructions.isEmpty { return .hidden }
        return program.instructions == reference.instructions
            && program.constants == reference.constants ? .own : .otherBuild
    }

    private mutating func doubt(
        _ other: HostHook.Standing, _ side: String, _ post: HostPost, _ place: String
    ) {
        audit.unproven.append(
            Unproven(
                reason: "\(party(post.endpoint).words): on the \(place) \(words(other)) stands "
                    + "\(side) the host filter and can decide for it",
                fix: "take it away, or let it stand elsewhere"))
    }

    private mutating func doubt(
        _ likeness: Likeness, _ standing: HostHook.Standing, _ isFromEndpoint: Bool,
        _ post: HostPost, _ place: String
    ) {
        let wanted = isFromEndpoint ? state.reference?.from : state.reference?.to
        let (reason, fix): (String, String)
        switch likeness {
        case .own: return
        case .otherMaps:
            return report(
                .replaced, post, place,
                "\(words(standing)) has the right instructions and other maps than \(state.folder)")
        case .otherBuild, .stranger:
            reason =
                "is not the program of this build"
                + (wanted.map { ", whose tag is \($0.tag)" } ?? ", which the kernel didn't load")
            fix = "run the audit of the version that the agent has, or start this agent"
        case .hidden:
            reason = "has the tag of this build, and the kernel shows no instructions"
            fix = "let the audit see them: kernel.kptr_restrict and bpf_jit_harden below 2"
        }
        audit.unproven.append(
            Unproven(
                reason:
                    "\(party(post.endpoint).words): on the \(place) \(words(standing)) \(reason)",
                fix: fix))
    }

    private func words(_ standing: HostHook.Standing) -> String {
        guard let id = standing.program else { return "\(standing.kind) \(standing.name)" }
        let tag = state.programs[id].map { ", tag \($0.tag)" } ?? ""
        return "\(standing.kind) program \(standing.name) (id \(id)\(tag))"
    }

    private func attached(
        _ standing: HostHook.Standing, _ likeness: Likeness
    ) -> AttachedProgram {
        AttachedProgram(
            id: standing.program ?? 0, name: standing.name,
            tag: standing.program.flatMap { state.programs[$0]?.tag } ?? "",
            isOwn: likeness == .own, isPinned: standing.isPinned)
    }

    /// What was fixed when the programs were loaded.
    mutating func holdSettings() {
        guard let reference = state.reference else { return }
        var reasons: Set<String> = []
        let all = Set(
            state.hooks.flatMap { hook in
                hook.standing.compactMap { one in
                    one.program.flatMap { id in
                        likeness(id, hook.isFromEndpoint) == .own
                            ? state.programs[id]?.settings : nil
                    }
                }
            })
        if all.count > 1 { reasons.insert("programs have different settings") }
        for settings in all {
            let mask = settings.identityMask
            let run = mask >> UInt32(mask.trailingZeroBitCount)
            if mask == 0 || run & (run &+ 1) != 0 || mask.nonzeroBitCount < 8
                || settings.identityShift != UInt32(mask.trailingZeroBitCount)
            {
                reasons.insert(
                    "mask \(hex(mask)) with shift \(settings.identityShift) is no place for a number"
                )
            }
            if Int(settings.bucketMask) != reference.buckets - 1 {
                reasons.insert("the table of flows has not \(settings.bucketMask) + 1 buckets")
            }
            if settings.seeds != state.flowSeeds {
                reasons.insert(
                    "programs look for flows elsewhere than the agent: its seeds are others")
            }
            if settings.isAlone, !reference.mayBeAlone {
                reasons.insert("programs count on not being interrupted, and this kernel does that")
            }
        }
        for reason in reasons.sorted() {
            report(.replaced, nil, "settings of the programs", reason)
        }
    }
}

extension PartyNamed {
    var words: String { "\(tenant)/\(endpoint)" }
}
