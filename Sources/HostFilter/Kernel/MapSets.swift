internal import CBPF
internal import Linux

/// The folders in which a host's maps are pinned: each set of maps has its own.
///
/// A set is made under another name and gets its number when it is complete, in one step: a set
/// with a number can always be used.
struct MapSets {
    /// All that is pinned for the host namespace.
    let home: String
    private let prefix: String

    /// - Parameter configuration: Maps of another version or another mask are never shared.
    init(_ configuration: HostFilter.Configuration) {
        home = "\(configuration.root)/ringfence/\(configuration.host)"
        prefix = "maps-\(RF_ABI)-\(String(configuration.identityMask, radix: 16))-"
    }

    /// Where a set is made.
    var unfinished: String { home + "/unfinished" }

    /// The set that was made last; nil where there is none.
    var latest: String? { numbers.max().map(path) }

    /// Where the next set belongs.
    var next: String { path((numbers.max() ?? 0) + 1) }

    /// Whether an earlier set than the latest is still pinned.
    var hasEarlier: Bool { numbers.count > 1 }

    private var numbers: [Int] {
        Pinned.names(in: home).filter { $0.hasPrefix(prefix) }
            .compactMap { Int($0.dropFirst(prefix.count)) }
    }

    private func path(_ number: Int) -> String { "\(home)/\(prefix)\(number)" }
}
