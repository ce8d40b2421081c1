extension PolicyDirectory.Problem {
    /// What to do about it.
    public var fix: String {
        switch self {
        case .system: "make the file readable for the agent, or remove it"
        case .notAFile: "put a regular file there, or a name that doesn't end in .yaml or .yml"
        case .tooLarge(let limit): "split the file; a policy file has at most \(limit) bytes"
        case .changing: "finish writing the file; it is read again at the next change"
        case .tooDeep(let limit): "keep policy files at most \(limit) folders deep"
        case .tooManyFiles(let limit): "join files; a directory has at most \(limit)"
        case .openToOthers: "take the right away: chmod go-w"
        case .foreign: "give it to root: chown root"
        }
    }

    /// What is wrong, in words.
    public var message: String {
        switch self {
        case .system(let error): "\(error)"
        case .notAFile: "a policy file can't be a pipe, a socket or a device"
        case .tooLarge: "the file is too large"
        case .changing: "the file kept changing while it was read"
        case .tooDeep: "the folder lies too deep"
        case .tooManyFiles: "there are too many policy files"
        case .openToOthers: "somebody other than its owner may write to it"
        case .foreign(let owner): "it belongs to user \(owner), who may change it at any time"
        }
    }
}
