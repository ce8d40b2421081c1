internal import CBPF
internal import Glibc
internal import Linux
internal import NetTypes
public import Verifier

/// Reads what the host filter has left in a host namespace, whether an agent runs or not.
///
/// It changes nothing. The calling thread has to be in the host namespace.
public struct HostFilterReader {
    private let folders: MapFolders
    /// How often everything is read again because an agent has changed it meanwhile.
    private static let attempts = 12

    /// - Parameters:
    ///   - root: Where the BPF file system is mounted.
    ///   - host: The inode of the host namespace.
    public init(root: String = "/sys/fs/bpf", host: UInt64) {
        folders = MapFolders(home: "\(root)/ringfence/\(host)")
    }

    /// Whether anything of the host filter is there.
    public var isPresent: Bool {
        !Pinned.names(in: folders.links).isEmpty || !folders.names.isEmpty
    }

    /// Reads hooks, programs and maps, until nobody has changed them meanwhile.
    ///
    /// - Parameters:
    ///   - interfaces: Every interface of the host, by its index.
    ///   - posts: Those where programs have to stand.
    /// - Returns: What there is.
    /// - Throws: What the kernel refused, EBUSY where it changes all the time.
    public func read(
        interfaces: [Int32: String], posts: Set<Int32>
    ) throws(BPFError) -> HostFilterState {
        var known = HostFilterReading.Known()
        for attempt in 1...Self.attempts {
            var reading = try HostFilterReading(folders, interfaces, posts, known)
            do throws(BPFError) {
                try reading.readHooks()
                try reading.readPrograms()
                try reading.readMaps()
                if try reading.isWhole() { return reading.state }
            } catch {
                // What an agent takes away while it is read is no fault of what is there then.
                if try reading.isWhole() { throw error }
            }
            known = reading.known
            // An agent that starts goes from interface to interface: it is given time.
            usleep(UInt32(attempt) * 10_000)
        }
        throw BPFError("read \(folders.home): it changes all the time", code: EBUSY)
    }
}
