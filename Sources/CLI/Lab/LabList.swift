internal import Lab
internal import Linux
internal import Policy
internal import Reports

/// The labs that are up.
struct LabList: TextReport, Encodable {
    let labs: [LabEntry]

    func text(_ form: TextForm) -> String {
        guard !labs.isEmpty else { return "no lab is up\n" }
        var table = Table(.init("LAB"), .init("NAMESPACE"), .init("MOUNT"))
        for lab in labs {
            table.append([lab.name, "rf-\(lab.name) (the host)", lab.host])
            for path in lab.namespaces {
                let name = path.split(separator: "/").last.map(String.init) ?? path
                table.append([lab.name, name, path])
            }
        }
        return table.text(form)
    }

    /// A row for each namespace, the host's as well.
    var csv: CSV {
        var csv = CSV(["lab", "namespace", "mount"])
        for lab in labs {
            csv.append([lab.name, "rf-\(lab.name)", lab.host])
            for path in lab.namespaces {
                csv.append([lab.name, path.split(separator: "/").last.map(String.init), path])
            }
        }
        return csv
    }
}

/// A lab with the mounts of its namespaces.
struct LabEntry: Encodable {
    let name: String
    let host: String
    let namespaces: [String]

    init(_ lab: Lab) {
        name = lab.name
        host = lab.fabricPath
        namespaces = lab.namespacePaths
    }
}

extension LabTopology {
    /// Reads and checks a file.
    init(readingFile path: String) throws {
        var snapshot = PolicyDirectory.Snapshot()
        PolicyDirectory(path).refresh(path, in: &snapshot)
        guard let file = snapshot.files[path] else {
            let words = snapshot.problems[path].map { ": \($0.message)" } ?? ""
            throw LabTrouble("\(path) is no lab file\(words)", fix: "name a file of kind Lab")
        }
        try self.init(reading: String(decoding: file.bytes, as: UTF8.self), file: path)
    }
}
