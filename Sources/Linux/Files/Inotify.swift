private import Glibc

/// What the kernel says about one watched directory.
struct InotifyEvent: Hashable, Sendable {
    /// -1 when the queue has overflowed.
    let watch: CInt
    let mask: UInt32
    /// Empty when the directory itself is meant.
    let name: String

    func has(_ bits: CInt...) -> Bool { bits.contains { mask & UInt32(bitPattern: $0) != 0 } }
}

/// A queue of file system events.
///
/// The system calls are `inotify_init1`, `inotify_add_watch`, `inotify_rm_watch` and `read`.
struct Inotify: ~Copyable, Sendable {
    let descriptor: Descriptor

    init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try check("inotify_init1") {
                inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
            })
    }

    /// Watches a directory, also for what it was watched for before; nil when nothing is there.
    static func add(
        _ path: String, _ bits: [CInt], to queue: CInt
    ) throws(SystemError) -> CInt? {
        let mask = bits.reduce(UInt32(IN_MASK_ADD) | UInt32(IN_ONLYDIR)) {
            $0 | UInt32(bitPattern: $1)
        }
        do throws(SystemError) {
            return try check("inotify_add_watch", on: path) {
                inotify_add_watch(queue, path, mask)
            }
        } catch let error where error.isAbsence {
            return nil
        }
    }

    /// Forgets a watch that may be gone already.
    borrowing func remove(_ watch: CInt) { _ = inotify_rm_watch(descriptor.rawValue, watch) }

    /// Some events, without those that come again later among them; none when the queue is empty.
    borrowing func read() throws(SystemError) -> [InotifyEvent] {
        let descriptor = descriptor.rawValue
        return try withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 8) {
            buffer throws(SystemError) in
            do throws(SystemError) {
                let count = try check("read", on: "inotify") {
                    Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                }
                return inotifyEvents(in: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } catch let error where error.code == EAGAIN {
                return []
            }
        }
    }
}

/// Reads the kernel's records; a record that is cut off ends the reading.
///
/// Of records that differ in nothing but their place the last one counts: somebody who saves a file ten thousand
/// times a second makes five records each time.
func inotifyEvents(in bytes: UnsafeRawBufferPointer) -> [InotifyEvent] {
    var records: [InotifyRecord] = []
    var offset = 0
    while bytes.count - offset >= InotifyRecord.headerSize {
        let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
        let size = InotifyRecord.headerSize + length
        guard size <= bytes.count - offset else { break }
        records.append(InotifyRecord(bytes: .init(rebasing: bytes[offset..<offset + size])))
        offset += size
    }
    var seen: Set<InotifyRecord> = []
    return records.reversed().filter { seen.insert($0).inserted }.reversed().map(\.event)
}

/// `struct inotify_event` where the kernel put it.
private struct InotifyRecord: Hashable {
    static let headerSize = 16

    let bytes: UnsafeRawBufferPointer

    private var watch: CInt { bytes.loadUnaligned(as: CInt.self) }
    private var mask: UInt32 { bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
    private var name: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Self.headerSize...])
    }

    var event: InotifyEvent {
        InotifyEvent(
            watch: watch, mask: mask, name: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        )
    }

    // The number that joins the two halves of a rename is left out: every rename has another.

    static func == (left: InotifyRecord, right: InotifyRecord) -> Bool {
        guard left.watch == right.watch, left.mask == right.mask,
            left.bytes.count == right.bytes.count
        else { return false }
        guard let name = left.name.baseAddress, let other = right.name.baseAddress else {
            return true
        }
        return memcmp(name, other, left.name.count) == 0
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(watch)
        hasher.combine(mask)
        hasher.combine(bytes: name)
    }
}
