import Foundation
import Glibc
import Linux

/// Policy directories that are swapped as a whole.
extension Rig {
    /// A directory with the tenants and one policy.
    func makeTree(_ name: String, _ policy: String) throws {
        let tree = folder + "/" + name
        try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
        let texts = [
            "tenants.yaml": PolicyText.documents(PolicyText.tenant("a"), PolicyText.tenant("b")),
            "a.yaml": policy,
        ]
        for (file, text) in texts {
            try Data(text.utf8).write(to: URL(fileURLWithPath: tree + "/" + file))
        }
    }

    /// Makes the policy directory a link to a tree, in one step.
    func point(at tree: String) throws {
        let next = folder + "/next"
        try check("symlink", on: next) { symlink(folder + "/" + tree, next) }
        // Only an empty directory, the first time.
        _ = rmdir(policies)
        try check("rename", on: next) { rename(next, policies) }
    }

    /// Puts a version of the files in force as a kubelet does: links to a link to a hidden folder.
    func makeConfigMap(_ version: String, _ policy: String) throws {
        try makeTree("policies/..\(version)", policy)
        try check("symlink") { symlink("..\(version)", file("..data_tmp")) }
        try check("rename") { rename(file("..data_tmp"), file("..data")) }
        for name in ["tenants.yaml", "a.yaml"] where access(file(name), F_OK) != 0 {
            try check("symlink") { symlink("..data/" + name, file(name)) }
        }
    }
}
