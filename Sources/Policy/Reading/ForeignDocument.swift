/// A document that is right somewhere else: what it is, and what to do with it.
struct ForeignDocument {
    let message: String
    let fix: String

    /// Looks at `apiVersion` and `kind`; nil for what may be meant for this reader.
    init?(_ head: Fields) {
        let version = head["apiVersion"]?.text ?? ""
        let kind = head["kind"]?.text ?? ""
        if version == DocumentReader.apiVersion, kind == "Lab" {
            message = "this is a lab for 'ringfence lab', and a policy directory holds none"
            fix = "move it out of the policy directory"
        } else if Self.isKubernetes(version) {
            message = "this is a Kubernetes object (\((version + " " + kind).quoted))"
            fix =
                "write it as 'apiVersion: \(DocumentReader.apiVersion)' and 'kind: Policy' with"
                + " 'from', 'to' and 'allow', as docs/policy-format.md shows"
        } else {
            return nil
        }
    }

    private static func isKubernetes(_ version: String) -> Bool {
        let group = version.split(separator: "/").first ?? ""
        return version == "v1" || group.hasSuffix(".k8s.io") || group == "apps"
            || group == "cilium.io" || group == "crd.projectcalico.org"
            || group == "projectcalico.org"
    }
}
