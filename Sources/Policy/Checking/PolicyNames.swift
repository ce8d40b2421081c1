internal import HashTreeCollections

/// Where each policy of a directory is declared.
///
/// A copy that differs in a few names shares the rest.
struct PolicyNames: Sendable {
    private var places: TreeDictionary<String, SourcePlace> = [:]

    subscript(_ name: String) -> SourcePlace? {
        get { places[name] }
        set { places[name] = newValue }
    }

    /// Notes declarations that are sorted by place; answers those whose name was taken.
    mutating func declare(_ declarations: [Declaration]) -> [(Declaration, first: SourcePlace)] {
        var taken: [(Declaration, first: SourcePlace)] = []
        for declaration in declarations {
            if let first = self[declaration.name] {
                taken.append((declaration, first))
            } else {
                self[declaration.name] = declaration.place
            }
        }
        return taken
    }
}

/// A name and the place that declares it.
struct Declaration {
    let name: String
    let place: SourcePlace
}

extension PolicyFile {
    var policies: [Declaration] {
        documents.compactMap { document in
            guard case .policy(let header, _, let place) = document else { return nil }
            return Declaration(name: header.name, place: place)
        }
    }

    var tenants: [Tenant] {
        documents.compactMap { document in
            if case .tenant(let tenant, _) = document { tenant } else { nil }
        }
    }
}
