import Crypto

/// SHA-256 in hexadecimal digits.
public func sha256(_ bytes: [UInt8]) -> String {
    SHA256.hash(data: bytes).reduce(into: "") { text, byte in
        text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

/// An identifier in the form of a version 5 UUID of RFC 9562, the same for the same words.
func identifier(_ words: String...) -> String {
    let digits = Array(sha256(Array(words.joined(separator: "\u{0}").utf8)))
    // The variant of RFC 9562 is in the two highest bits of the ninth byte.
    let variant = ["8", "9", "a", "b"][(digits[16].hexDigitValue ?? 0) & 3]
    return String(digits[0..<8]) + "-" + String(digits[8..<12]) + "-5" + String(digits[13..<16])
        + "-" + variant + String(digits[17..<20]) + "-" + String(digits[20..<32])
}
