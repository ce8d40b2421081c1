internal import CBPF
internal import Linux
internal import Verifier

/// Where the maps of a host are pinned: those in use, and those of other versions or sizes.
struct MapFolders {
    let home: String

    var links: String { home + "/links" }

    /// Those of this build last, and of those the latest.
    var names: [String] {
        Pinned.names(in: home).filter { $0.hasPrefix("maps-") }.sorted { rank($0) < rank($1) }
    }

    /// Whether this build can read the maps in a folder.
    func isOwn(_ folder: String) -> Bool { folder.hasPrefix("maps-\(RF_ABI)-") }

    private func rank(_ folder: String) -> (Int, Int) {
        (isOwn(folder) ? 1 : 0, folder.split(separator: "-").last.flatMap { Int($0) } ?? 0)
    }

    /// The folder whose maps most of the programs use; without programs the last one.
    func used(by programs: some Collection<HostProgram>) throws(BPFError) -> String? {
        var uses: [String: Int] = [:]
        let names = names
        for folder in names {
            guard let map = try Pinned.open("\(home)/\(folder)/endpoints") else { continue }
            let id = try MapReading.info(map).id
            uses[folder] = programs.count { $0.maps["endpoints"] == id }
        }
        let most = uses.values.max()
        return names.last { uses[$0] == most }
    }

    /// What tells two moments apart: an agent counts a generation up with every change.
    struct Moment: Hashable {
        /// By folder: the map that counts, and how far it has.
        fileprivate var generations: [String: [UInt64]] = [:]
    }

    func moment() throws(BPFError) -> Moment {
        var moment = Moment()
        for folder in names {
            guard let map = try Pinned.open("\(home)/\(folder)/generation") else { continue }
            moment.generations[folder] = [UInt64(try MapReading.info(map).id)]
            // Another version's may have another form.
            guard isOwn(folder) else { continue }
            let counting: BPFMap<UInt32, UInt64> = try BPFMap(
                "generation", owning: map.release())
            moment.generations[folder]?.append(try counting.value(of: 0) ?? 0)
        }
        return moment
    }
}
