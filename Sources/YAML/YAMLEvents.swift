internal import CYaml

/// Reads the events of a text, one after the other.
///
/// The scanner and the grammar are libyaml's, as the package Yams carries it. No tree is built: Yams' own
/// takes several objects for each node, and reading policies took four times as long with it.
public final class YAMLEvents {
    private let text: UnsafeMutableBufferPointer<UInt8>
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// - Parameter text: UTF-8.
    public init(_ text: some Collection<UInt8>) {
        // The parser reads from where it was told to, until the end.
        self.text = .allocate(capacity: max(1, text.count))
        _ = self.text.initialize(from: text)
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        yaml_parser_initialize(parser)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, self.text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    /// The next event; nil at the end of the text.
    ///
    /// - Throws: `YAMLError` where the text isn't YAML; nothing can be read after that.
    public func next() throws(YAMLError) -> YAMLEvent? {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw YAMLError(of: parser.pointee) }
        defer { yaml_event_delete(&event) }
        switch event.type {
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return nil
        case YAML_STREAM_START_EVENT: return try next()
        case YAML_DOCUMENT_START_EVENT: return YAMLEvent(.documentStart, event)
        case YAML_DOCUMENT_END_EVENT: return YAMLEvent(.documentEnd, event)
        case YAML_ALIAS_EVENT: return YAMLEvent(.alias, event)
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(.listEnd, event)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(.mappingEnd, event)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return YAMLEvent(.listStart, event, anchor: start.anchor, tag: start.tag)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return YAMLEvent(.mappingStart, event, anchor: start.anchor, tag: start.tag)
        default:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return YAMLEvent(
                .scalar(
                    String(decoding: bytes, as: UTF8.self),
                    isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                event, anchor: scalar.anchor, tag: scalar.tag)
        }
    }
}

extension YAMLEvent {
    fileprivate init(
        _ kind: Kind, _ event: yaml_event_t, anchor: UnsafePointer<UInt8>? = nil,
        tag: UnsafePointer<UInt8>? = nil
    ) {
        self.kind = kind
        mark = YAMLMark(event.start_mark)
        hasAnchor = anchor != nil
        self.tag = tag.map { String(cString: $0) }
    }
}

extension YAMLMark {
    /// libyaml counts from 0.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }
}

extension YAMLError {
    fileprivate init(of parser: yaml_parser_t) {
        problem = parser.problem.map { String(cString: $0) } ?? "it needs more memory than there is"
        let isPlaced = parser.error == YAML_SCANNER_ERROR || parser.error == YAML_PARSER_ERROR
        mark = isPlaced ? YAMLMark(parser.problem_mark) : nil
        context = parser.context.map {
            Context(text: String(cString: $0), mark: YAMLMark(parser.context_mark))
        }
    }
}
