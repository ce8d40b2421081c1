extension PolicySet {
    /// Checks the files of a directory against each other.
    ///
    /// Throws every mistake. The order of the files doesn't matter; of two with one path the later
    /// counts.
    public init(checking files: some Sequence<PolicyFile>) throws(PolicyErrors) {
        try self.init(checking: PolicyFiles(files))
    }

    private init(checking files: PolicyFiles) throws(PolicyErrors) {
        let sorted = files.inOrder
        var findings = Findings()
        var names = PolicyNames()
        findings.report(taken: names.declare(sorted.flatMap(\.policies)), kind: "policy")
        var assertions = PolicyNames()
        let declared = sorted.flatMap(\.assertions).map {
            Declaration(name: $0.name, place: $0.place)
        }
        findings.report(taken: assertions.declare(declared), kind: "assertion", article: "an")
        let tenants = Self.tenants(of: sorted, &findings)
        let ports = DeclaredPorts(tenants.values)
        var check = ReferenceCheck(tenants, ports)
        for file in sorted { check.check(file, &findings) }
        try findings.throwIfAny()
        self.init(files: files, tenants: tenants, names: names, ports: ports)
    }

    /// The set with some files replaced, or removed where there is nil.
    ///
    /// It is what checking all files from scratch gives. If only policies are concerned, the time it
    /// takes depends on the changed files and no others.
    public func replacing(_ changes: [String: PolicyFile?]) throws(PolicyErrors) -> PolicySet {
        let before = changes.keys.compactMap { self.files[$0] }
        let after = changes.values.compactMap(\.self).sorted { $0.path < $1.path }
        var files = self.files
        for (path, file) in changes { files[path] = file }
        guard (before + after).allSatisfy({ $0.tenants.isEmpty && $0.assertions.isEmpty }) else {
            return try PolicySet(checking: files)
        }
        var findings = Findings()
        let names = names(without: before, with: after, &findings)
        var check = ReferenceCheck(tenants, ports)
        for file in after { check.check(file, &findings) }
        try findings.throwIfAny()
        return PolicySet(files: files, tenants: tenants, names: names, ports: ports)
    }

    private func names(
        without before: [PolicyFile], with after: [PolicyFile], _ findings: inout Findings
    ) -> PolicyNames {
        var names = names
        for policy in before.flatMap(\.policies) { names[policy.name] = nil }
        // What stands in an unchanged file may come after its double, so both are declared anew.
        var declarations = after.flatMap(\.policies)
        for policy in declarations {
            guard let place = names[policy.name] else { continue }
            names[policy.name] = nil
            declarations.append(Declaration(name: policy.name, place: place))
        }
        declarations.sort { $0.place < $1.place }
        findings.report(taken: names.declare(declarations), kind: "policy")
        return names
    }

    private static func tenants(
        of files: [PolicyFile], _ findings: inout Findings
    ) -> [String: Tenant] {
        var tenants: [String: Tenant] = [:]
        var taken: [(Declaration, first: SourcePlace)] = []
        for tenant in files.flatMap(\.tenants) {
            if let first = tenants[tenant.name] {
                taken.append((Declaration(name: tenant.name, place: tenant.place), first.place))
            } else {
                tenants[tenant.name] = tenant
            }
        }
        findings.report(taken: taken, kind: "tenant")
        return tenants
    }
}

extension Findings {
    fileprivate mutating func report(
        taken: [(Declaration, first: SourcePlace)], kind: String, article: String = "a"
    ) {
        for (declaration, first) in taken {
            report(
                "\(article) \(kind) called \(declaration.name.quoted) stands already at \(first)",
                fix: "rename one of them, or delete one", at: declaration.place)
        }
    }

    func throwIfAny() throws(PolicyErrors) {
        if !isEmpty { throw PolicyErrors(diagnostics) }
    }
}
