internal import NetTypes
public import Policy

extension PolicySet {
    /// The policy files that are too large by themselves, whichever namespaces there are.
    ///
    /// It is found by compiling them for made-up endpoints, one or more of each tenant: one of each of its claims, and
    /// one of all of them together.
    ///
    /// - Parameter limit: How many elements a map may have.
    /// - Returns: A mistake for each file, in the order of the files.
    public func oversized(limit: Int = CompileError.limit) -> [Diagnostic] {
        let compilation = Compilation(of: self, for: imaginaryTopology, limit: limit)
        var found: [String: Diagnostic] = [:]
        for error in compilation.errors.sorted(by: { $0.key < $1.key }).map(\.value) {
            for path in error.omittedFiles where found[path] == nil {
                found[path] = files[path]?.tooLarge(error)
            }
        }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    private var imaginaryTopology: Topology {
        var endpoints: [Endpoint] = []
        for tenant in tenants.values.sorted(by: { $0.name < $1.name }) {
            for labels in tenant.labelsOfEndpoints {
                let number = UInt64(endpoints.count + 1)
                endpoints.append(
                    Endpoint(
                        id: NamespaceID(device: 0, inode: number),
                        name: "any of \(tenant.name)", tenant: tenant.name, labels: labels,
                        // Addresses of 240.0.0.0/4 (RFC 1112) and 100::/64 (RFC 6666) are in no use.
                        addresses: [
                            .v4(0xf000_0000 + UInt32(truncatingIfNeeded: number) * 2),
                            .v6((0x100 << 112) + UInt128(number) * 2),
                        ]))
            }
        }
        return Topology(
            endpoints: endpoints, host: AddressSet(),
            local: AddressSet(endpoints.flatMap(\.addresses)), conflicts: [], unknown: [])
    }
}

extension Tenant {
    /// Labels that an endpoint of the tenant may well have.
    fileprivate var labelsOfEndpoints: Set<Labels> {
        let all = claims.reduce(into: Labels()) { labels, claim in
            labels.merge(claim.labels) { $1 }
        }
        return Set(claims.map(\.labels) + [all])
    }
}
