private import CLinux

/// Keeps the process, and every program that it starts, from gaining a right that it doesn't have.
///
/// The system call is `prctl` with PR_SET_NO_NEW_PRIVS.
public func renounceNewPrivileges() throws(SystemError) {
    try check("prctl(PR_SET_NO_NEW_PRIVS)") { linux_no_new_privileges() }
}
