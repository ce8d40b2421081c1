public import Linux

/// Why a conversation with nf_tables failed.
public enum NftablesError: Error, Sendable {
    /// The kernel refused an object of a batch; nothing of the batch is in force.
    case refused(object: String, SystemError, kernelText: String?)
    /// The socket itself failed.
    case socket(SystemError)
    /// Another process owns the table.
    case owned(byPort: UInt32)
    /// The kernel sent something that no netlink message looks like.
    case malformed(String)
    /// Somebody changes the namespace's rulesets all the time, and the table has no owner.
    case restless
    /// Somebody's own changes in the namespace, or in two at a time of any, go on for long: the kernel takes no
    /// others meanwhile.
    case heldUp(namespace: String)
    /// The batch was sent and the answer was lost; the kernel has to be read again.
    case answerLost
}

extension NftablesError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let object, let error, let text):
            "\(object): \(text ?? error.description)"
        case .socket(let error): error.description
        case .owned(let port):
            """
            table 'inet ringfence' is owned by another process (netlink port \(port))
              fix: stop the other agent; only one may hold a namespace
            """
        case .malformed(let what): "the kernel's answer can't be read: \(what)"
        case .restless: "20 dumps in a row were interrupted by changes"
        case .heldUp(let namespace):
            """
            the kernel is held up by somebody's changes to rulesets of their own: nothing is known of '\(namespace)'
              fix: see 'nft monitor' in the namespaces; memory limits of control groups bound such changes
            """
        case .answerLost:
            "the kernel's answer was lost (socket buffer full); the table is read again"
        }
    }
}
