import Glibc

extension APIClientError {
    /// What a failed `connect` means.
    init(connecting path: String, errorNumber: Int32) {
        switch errorNumber {
        case ENOENT, ECONNREFUSED, ENOTDIR: self = .noAgent(path: path)
        case EACCES, EPERM: self = .permissionDenied(path: path)
        default: self = .connection(path: path, reason: systemText(of: errorNumber))
        }
    }
}
