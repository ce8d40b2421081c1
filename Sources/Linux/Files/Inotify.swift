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

    /// Some events; none when the queue is empty.
    borrowing func read() throws(SystemError) -> [InotifyEvent] {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        do throws(SystemError) {
            let count = try check("read", on: "inotify") {
                Glibc.read(descriptor.rawValue, &bytes, bytes.count)
            }
            return inotifyEvents(in: bytes.prefix(count))
        } catch let error where error.code == EAGAIN {
            return []
        }
    }
}

/// Reads the kernel's records; a record that is cut off ends the reading.
func inotifyEvents(in bytes: ArraySlice<UInt8>) -> [InotifyEvent] {
    let header = 16
    var events: [InotifyEvent] = []
    var rest = bytes
    while rest.count >= header {
        let (watch, mask, length) = rest.withUnsafeBytes {
            (
                $0.loadUnaligned(fromByteOffset: 0, as: CInt.self),
                $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                Int($0.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            )
        }
        guard length <= rest.count - header else { break }
        let name = rest.dropFirst(header).prefix(length).zeroTerminatedText
        events.append(InotifyEvent(watch: watch, mask: mask, name: name))
        rest = rest.dropFirst(header + length)
    }
    return events
}
