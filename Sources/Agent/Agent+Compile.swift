internal import AgentCore
internal import Compiler
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports

/// Compiling, beside the loop where it takes long.
///
/// What closes never waits for it: see `closeFirst()`.
extension Agent {
    /// How long the loop waits for a compilation before it goes on with other events.
    private static let compilePatience = Duration.milliseconds(15)

    /// A compilation of everything, as a value that any thread can work on.
    private struct CompileInput: Sendable {
        let policies: PolicySet
        let observed: [ObservedNamespace]
        let host: NamespaceID?
        let announced: [String: [EndpointClaim]]
        let given: [NamespaceID: Set<IPAddress>]
        let retained: Set<IPAddress>
        let earlier: Compilation

        func compiled() -> Compilation {
            let topology = policies.topology(
                observed: observed, host: host, announced: announced, given: given,
                retained: retained)
            return Compilation(of: policies, for: topology, after: earlier) {
                concurrently($0, $1)
            }
        }
    }

    private var compileInput: CompileInput {
        CompileInput(
            policies: inputs.accepted, observed: Array(observed.values), host: host,
            announced: announced.claims, given: announced.addresses,
            retained: guards.retainedAddresses, earlier: compilation)
    }

    /// Compiles everything, as after a change of tenants, namespaces or addresses, and brings it into force.
    ///
    /// What has to be closed is closed before.
    func rebuild() {
        guard !isWithoutPolicies else { return }
        refreshResting()
        closeFirst()
        compileAll()
    }

    /// The first compilation: it is waited for, and nothing is closed before.
    ///
    /// What passed before there was an agent is cut only if the policies refuse it.
    func buildFirst() {
        followGuards()
        guard compileQueue.begin() else { return }
        // On the loop, which waits for it anyway: a thread might not be had.
        let start = ContinuousClock.now
        concludeAll(compileInput.compiled(), begun: start)
    }

    private func compileAll(patience: Duration = compilePatience) {
        guard compileQueue.begin() else { return }
        let start = ContinuousClock.now
        let input = compileInput
        let isDone = run(
            patience: patience, { input.compiled() }, then: { $0.concludeAll($1, begun: start) })
        guard !isDone else { return }
        // Whoever gets the address of an endpoint that is gone must not have its rules until then.
        let cut = compilation.cut(goneAddresses)
        if !cut.isEmpty { apply(to: cut.sorted(), compileTime: .zero, readTime: .zero) }
    }

    /// Addresses that were an endpoint's when policies were last compiled, and are not any more.
    private var goneAddresses: Set<IPAddress> {
        var gone: Set<IPAddress> = []
        for endpoint in compilation.topology.endpoints {
            let interfaces = observed[endpoint.id]?.interfaces ?? []
            for address in endpoint.addresses
            where !interfaces.contains(where: { $0.addresses.contains(address) }) {
                gone.insert(address)
            }
        }
        return gone
    }

    /// Works beside the loop, and goes on at once if that is done soon.
    ///
    /// - Returns: Whether it is done.
    @discardableResult
    private func run<Outcome: Sendable>(
        patience: Duration = compilePatience, _ work: @escaping @Sendable () -> Outcome,
        then conclude: @escaping @Sendable (isolated Agent, Outcome) -> Void
    ) -> Bool {
        let outcome = compiler.run(
            patience: patience, limit: patience, BackgroundWorker.Progress(),
            { _ in work() },
            late: { [weak self] outcome in
                guard let self else { return }
                Task { await self.conclude(outcome, conclude) }
            })
        guard let outcome else { return false }
        conclude(self, outcome)
        return true
    }

    private func conclude<Outcome: Sendable>(
        _ outcome: Outcome, _ body: @Sendable (isolated Agent, Outcome) -> Void
    ) {
        guard !isStopping else { return _ = compileQueue.end() }
        body(self, outcome)
    }

    private func concludeAll(_ next: Compilation, begun: ContinuousClock.Instant) {
        let rest = compileQueue.end()
        if take(next, with: rest) { applyCompilation(after: ContinuousClock.now - begun) }
        takeWaiting()
        if rest.isOutdated { rebuild() }
    }

    /// Takes a result, with what changed while it was made.
    ///
    /// - Returns: Whether it may come into force: not where it has tenants that changed since, and with them perhaps
    ///   rules that have ended.
    private func take(_ next: Compilation, with rest: CompileQueue.Rest) -> Bool {
        guard next.policies.tenants == inputs.accepted.tenants else { return false }
        take(next)
        if !rest.files.isEmpty {
            _ = compilation.follow(inputs.accepted, changed: rest.files)
        }
        // What went meanwhile must not come back with a result that is older.
        if rest.isOutdated { _ = compilation.cut(goneAddresses) }
        return true
    }

    /// Compiles everything for what is observed now, while nothing else can happen.
    func compile() {
        followGuards()
        take(compileInput.compiled())
    }

    private func take(_ next: Compilation) {
        let known = Set(compilation.topology.conflicts)
        for conflict in next.topology.conflicts where !known.contains(conflict) {
            let status = ConflictStatus(conflict)
            // A container's address is often there a moment before the host's route to it.
            let level: Logger.Level =
                if case .unroutedAddress = conflict { .info } else { .warning }
            logger.log(
                level: level, "claim refused",
                metadata: [
                    "subject": "\(status.subject)",
                    "claimants": "\(status.claimants.joined(separator: ", "))",
                    "reason": "\(status.message)",
                ])
        }
        readRefusals(beforeChangeTo: next.topology)
        let errors = compilation.errors
        compilation = next
        compilationCount += 1
        tellOversized(since: errors)
        explanations = [:]
        mentions = nil
        owners = nil
        // Which addresses are whose by right is known only now.
        followGuards()
    }

    /// Compiles what some policy files touch, unless that was just tried, and brings it into force.
    ///
    /// - Parameters:
    ///   - changed: The files.
    ///   - readTime: How long they took to read.
    ///   - trial: What they would lead to, from the compilation as it is.
    func follow(_ changed: Set<String>, readTime: Duration, trial: Compilation.Trial? = nil) {
        compileQueue.note(changed: changed)
        // The compilation in flight, or the one after it, has the tenants of these files.
        if inputs.accepted.tenants != compilation.policies.tenants { return rebuild() }
        let start = ContinuousClock.now
        let errors = compilation.errors
        var touched: Set<NamespaceID>
        if let trial, trial.paths == changed, trial.refusals.isEmpty {
            compilation = trial.compilation
            touched = trial.touched
        } else {
            touched = compilation.follow(inputs.accepted, changed: changed)
        }
        compilationCount += 1
        // What is closed until the compilation in flight is done stays closed.
        if compileQueue.isBusy { touched.formUnion(compilation.cut(goneAddresses)) }
        tellOversized(since: errors)
        bring(touched, changed, since: start, readTime)
    }

    private func bring(
        _ touched: Set<NamespaceID>, _ changed: Set<String>, since start: ContinuousClock.Instant,
        _ readTime: Duration
    ) {
        explanations = [:]
        mentions?.follow(inputs.accepted, changed: changed)
        apply(
            to: touched.sorted(), compileTime: ContinuousClock.now - start, readTime: readTime)
    }
}
