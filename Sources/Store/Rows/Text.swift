internal import Foundation
internal import GRDB
internal import NetTypes
internal import Reports

/// Text as it is kept.
///
/// SQLite's text ends for GRDB at the first NUL; what holds one is kept as bytes.
func kept(_ text: String?) -> (any DatabaseValueConvertible)? {
    guard let text, text.utf8.contains(0) else { return text }
    return Data(text.utf8)
}

/// Numbers beyond 2^63 - 1 are kept as that.
func kept(_ number: UInt64) -> Int64 { Int64(clamping: number) }

func kept(_ moment: Timestamp) -> Int64 { moment.milliseconds }

extension Row {
    func optionalText(_ column: String) -> String? {
        String.fromDatabaseValue(self[column] as DatabaseValue)
    }

    func text(_ column: String) throws -> String {
        guard let text = optionalText(column) else { throw Unreadable(column: column) }
        return text
    }

    func number<Number: FixedWidthInteger>(_ column: String) throws -> Number {
        guard let number = try optionalNumber(column) as Number? else {
            throw Unreadable(column: column)
        }
        return number
    }

    func optionalNumber<Number: FixedWidthInteger>(_ column: String) throws -> Number? {
        guard let kept = self[column] as Int64? else { return nil }
        guard let number = Number(exactly: kept) else { throw Unreadable(column: column) }
        return number
    }

    func real(_ column: String) throws -> Double {
        guard let number = self[column] as Double? else { throw Unreadable(column: column) }
        return number
    }

    func moment(_ column: String) throws -> Timestamp {
        Timestamp(milliseconds: try number(column))
    }

    func choice<Choice: RawRepresentable<String>>(_ column: String) throws -> Choice {
        guard let choice = Choice(rawValue: try text(column)) else {
            throw Unreadable(column: column)
        }
        return choice
    }

    func optionalChoice<Choice: RawRepresentable<String>>(_ column: String) throws -> Choice? {
        optionalText(column) == nil ? nil : try choice(column)
    }

    func json<Value: Decodable>(_ column: String) throws -> Value {
        try ReportJSON.read(Value.self, from: Array(try text(column).utf8))
    }
}

/// A row that holds what nobody wrote.
struct Unreadable: Error, CustomStringConvertible {
    let column: String

    var description: String { "a row has no sensible '\(column)'" }
}

/// JSON as it is kept; it escapes NUL.
func json(_ value: some Encodable) throws -> String {
    String(decoding: try ReportJSON.line(value), as: UTF8.self)
}
