import NetTypes
import Policy
import TestSupport

/// How the first packet of a flow stands on the wire.
///
/// A form holds every choice that was made at random, so that a case can be made again from it
/// under other policies.
enum Form: Hashable {
    case plain
    /// In fragments, some of them wrong or missing.
    case fragments(Fragmentation)
    /// Behind IPv6 extension headers.
    case extensions(ExtensionChain)
    /// An ICMP error follows that quotes the flow, rightly or not.
    case error(QuotingError)

    /// The kinds that are told apart in what is reported.
    enum Kind: String, CaseIterable {
        case plain
        case fragments
        case extensionHeaders = "extension headers"
        case errors = "ICMP errors"
    }

    var kind: Kind {
        switch self {
        case .plain: .plain
        case .fragments: .fragments
        case .extensions: .extensionHeaders
        case .error: .errors
        }
    }

    /// The form itself where it fits the flow.
    func fitting(_ probe: Probe, _ fate: Fate) -> Form {
        switch self {
        case .extensions where probe.flow.source.family == .v4: .plain
        // What is sent to itself or to a group would come back, and be judged once more.
        case .error where fate == .loopback || probe.flow.destination.isMulticastOrBroadcast: .plain
        default: self
        }
    }
}
