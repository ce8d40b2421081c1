extension IPProtocol: Codable {
    /// Reads a name or a number from 0 to 255.
    public init?(_ text: some StringProtocol) {
        if let named = Self.named.first(where: { $0.name == text }) {
            self = named.value
        } else if let number = UInt8(text), String(number) == text {
            self.init(rawValue: number)
        } else {
            return nil
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = IPProtocol(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not an IP protocol")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
