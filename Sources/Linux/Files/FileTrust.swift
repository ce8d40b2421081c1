private import Glibc

extension FileStatus {
    /// Refuses what somebody could change who is not trusted with policies: only root and the user
    /// that reads are.
    ///
    /// In a folder with the sticky bit others may add files, but those are theirs, and refused.
    func requireTrust() throws(PolicyDirectory.Problem) {
        let isOpen = kind == .directory ? mode.isOpenToOthers : mode.isWritableByOthers
        if isOpen { throw .openToOthers }
        guard owner == 0 || owner == geteuid() else { throw .foreign(owner: owner) }
    }
}
