/// One event of a YAML text: a part of it begins, ends, or is a scalar.
public struct YAMLEvent: Sendable {
    public enum Kind: Sendable {
        /// The text as it reads without quotes and escapes.
        case scalar(String, isPlain: Bool)
        case listStart
        case listEnd
        case mappingStart
        case mappingEnd
        /// `*name`, which stands for what an anchor marks.
        case alias
        case documentStart
        case documentEnd
    }

    public let kind: Kind
    /// Where it starts.
    public let mark: YAMLMark
    /// Whether an anchor (`&name`) stands before it.
    public let hasAnchor: Bool
    /// The tag that stands before it, resolved (`tag:yaml.org,2002:str` for `!!str`).
    public let tag: String?
}

/// A place in a text; both numbers start at 1, and columns count Unicode scalars.
public struct YAMLMark: Sendable, Hashable {
    public let line: Int
    public let column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// Why a text isn't YAML.
public struct YAMLError: Error, Sendable {
    /// What libyaml found.
    public let problem: String
    /// Where it found that; nil where it doesn't say.
    public let mark: YAMLMark?
    /// What it was reading, and where that began.
    public let context: Context?

    public struct Context: Sendable {
        public let text: String
        public let mark: YAMLMark
    }

    /// Of something that libyaml lets pass.
    public init(_ problem: String, at mark: YAMLMark?) {
        self.problem = problem
        self.mark = mark
        context = nil
    }
}
