internal import CBPF
internal import Glibc
internal import Linux

/// The memory of an array of the kernel, where the programs have it: mmap(2).
///
/// The programs write to it at any time.
struct Mapping<Element: BitwiseCopyable>: ~Copyable {
    let start: UnsafeMutablePointer<Element>
    private let size: Int

    /// - Parameters:
    ///   - map: An array that was made to be mapped.
    ///   - element: What it is made of; more than one of them may make up a value.
    ///   - protection: PROT_READ, PROT_WRITE.
    /// - Throws: What the kernel refused.
    init<Value>(
        _ map: borrowing BPFMap<UInt32, Value>, as element: Element.Type, _ protection: CInt
    ) throws(BPFError) {
        size = map.capacity * MemoryLayout<Value>.stride
        let memory = mmap(nil, size, protection, MAP_SHARED, map.rawValue, 0)
        guard let memory, memory != MAP_FAILED else {
            throw BPFError("map the memory of \(map.name)", code: errno)
        }
        start = memory.bindMemory(to: element, capacity: size / MemoryLayout<Element>.stride)
    }

    deinit { munmap(start, size) }
}
