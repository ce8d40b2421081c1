internal import NetTypes
internal import Reports

/// What makes two records the same one: the flow, the end that refused it, and the window.
///
/// The bytes sort by the window's start, so they are the order of pages as well. All of the flow
/// is in them, not a hash of it: tenants choose their packets, and must not be able to make two
/// flows look like one.
struct ViolationKey: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ violation: Violation) {
        var bytes = Self.start(violation.first)
        bytes.append(text: violation.source.address.bytes)
        bytes.append(text: violation.destination.address.bytes)
        bytes.append(violation.ipProtocol.rawValue)
        bytes.append(
            text: violation.ports.map { $0.source.networkBytes + $0.destination.networkBytes } ?? []
        )
        bytes.append(text: violation.message.map { [$0.type, $0.code] } ?? [])
        bytes.append(text: violation.direction.rawValue.utf8)
        bytes.append(text: violation.layer.rawValue.utf8)
        bytes.append(text: violation.reason.rawValue.utf8)
        for end in [violation.source, violation.destination] {
            for name in [end.tenant, end.endpoint] {
                bytes.append(name == nil ? 0 : 1)
                if let name { bytes.append(text: name.utf8) }
            }
        }
        self.bytes = bytes
    }

    /// The bytes that all keys of a moment begin with; those of an earlier one sort before.
    static func start(_ moment: Timestamp) -> [UInt8] {
        (UInt64(bitPattern: moment.milliseconds) ^ 1 << 63).networkBytes
    }
}

extension [UInt8] {
    /// Appends bytes behind their count, seven bits of it in a byte, so that two fields in a row
    /// can't be taken for two others.
    fileprivate mutating func append(text: some Collection<UInt8>) {
        var count = text.count
        while count > 0x7f {
            append(UInt8(truncatingIfNeeded: count) | 0x80)
            count >>= 7
        }
        append(UInt8(truncatingIfNeeded: count))
        append(contentsOf: text)
    }
}
