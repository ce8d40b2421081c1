public import Linux

/// Why a laboratory was not built, entered or taken down.
public enum LabError: Error, Hashable, Sendable {
    case system(SystemError)
    /// One of that name is up.
    case isUp(String)
    /// No lab, or no namespace of one, has that name.
    case unknown(String, path: String)
    /// A bridge has no more ports.
    case tooManyForBridge(Int, limit: Int)
    /// `nft` refused the address translations.
    case translation(String)
}

extension LabError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .isUp(let name):
            "the lab '\(name)' is up\n  fix: run 'ringfence lab down \(name)' first"
        case .unknown(let name, let path):
            "there is no '\(name)' (looked for \(path))\n  fix: run 'ringfence lab up' first"
        case .tooManyForBridge(let count, let limit):
            "a bridge joins at most \(limit) namespaces, not \(count)\n"
                + "  fix: write 'fabric: routed'"
        case .translation(let words):
            "nft refused the translations: \(words)\n  fix: mend 'nat' in the lab file"
        }
    }
}

/// Does system calls and makes their errors this module's.
func system<Value: ~Copyable>(
    _ body: () throws(SystemError) -> Value
) throws(LabError) -> Value {
    do throws(SystemError) {
        return try body()
    } catch {
        throw .system(error)
    }
}
