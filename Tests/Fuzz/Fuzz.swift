import Glibc
import Readers

/// What libFuzzer (https://llvm.org/docs/LibFuzzer.html) calls with bytes that it changes so that they reach code
/// which no others have reached.
///
/// RINGFENCE_READER says which reader takes them.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    chosen.read(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}

/// The program's entry, by the name that the package manager gives it; libFuzzer has a `main` of its own, which nobody
/// calls.
@_cdecl("Fuzz_main")
func begin(_ count: CInt, _ arguments: Arguments) -> CInt {
    var (count, arguments) = (count, arguments)
    return runDriver(&count, &arguments, testOneInput)
}

typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Of libFuzzer: runs until the time is over, or something was found.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let chosen: Reader = {
    let names = Reader.allCases.map(\.rawValue).joined(separator: ", ")
    guard let name = getenv("RINGFENCE_READER"),
        let reader = Reader(rawValue: String(cString: name))
    else { fatalError("RINGFENCE_READER is none of \(names)") }
    return reader
}()
