import NetTypes

/// What a text is written for: a terminal with its width, or something without one.
public struct TextForm: Hashable, Sendable {
    /// The terminal's columns; nil where lines may be as long as they are.
    public var width: Int?
    /// Whether the reader understands colours.
    public var isColoured: Bool

    public init(width: Int? = nil, isColoured: Bool = false) {
        self.width = width
        self.isColoured = isColoured
    }

    /// A moment; without year and milliseconds where columns are dear.
    func moment(_ moment: Timestamp) -> String {
        guard let width, width < Self.roomy else { return moment.description }
        return moment.description.dropFirst(5).prefix(14) + "Z"
    }

    /// From this width on, moments are written out.
    private static let roomy = 120

    /// The text in a style, where the reader understands it.
    public func styled(_ text: String, _ style: Style?) -> String {
        guard isColoured, let style, !text.isEmpty else { return text }
        return "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m"
    }
}

/// How a text stands out, as the parameter of ECMA-48's SGR sequence.
public enum Style: Int, Hashable, Sendable {
    case heading = 1
    case faint = 2
    case inverse = 7
    case bad = 31
    case good = 32
    case doubtful = 33
}

extension TextForm {
    /// Whether to colour: on terminals that can, unless the user asks not to (no-color.org).
    public static func isColoured(isTerminal: Bool, environment: [String: String]) -> Bool {
        isTerminal && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }
}
