import NetTypes

extension HistoryReport: TextReport {
    public func text(_ form: TextForm) -> String {
        [generationText(form), runText(form), driftText(form), storeText(form)]
            .filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private func generationText(_ form: TextForm) -> String {
        var table = Table(
            .init("GENERATION", .right), .init("APPLIED", importance: .high),
            .init("ENDPOINTS", .right), .init("READ", .right), .init("COMPILE", .right),
            .init("APPLY", .right), .init("CHANGED"))
        for record in generations {
            table.append([
                .init("\(record.number)"), .init(form.moment(record.applied)),
                .init("\(record.changedEndpoints)"),
                .init(milliseconds(record.readMilliseconds)),
                .init(milliseconds(record.compileMilliseconds)),
                .init(milliseconds(record.applyMilliseconds)),
                .init(record.changeText, record.errors.isEmpty ? nil : .bad),
            ])
        }
        return section("generations", table, form, none: "none")
    }

    private func runText(_ form: TextForm) -> String {
        var table = Table(
            .init("STARTED", importance: .high), .init("STOPPED", importance: .high),
            .init("PID", .right), .init("VERSION"))
        for run in runs {
            table.append([
                form.moment(run.started), run.stopped.map(form.moment) ?? "-", "\(run.pid)",
                run.version,
            ])
        }
        return section("agents", table, form, none: "none")
    }

    private func driftText(_ form: TextForm) -> String {
        drift.isEmpty ? "" : section("drift", drift.driftTable(form), form, none: "none")
    }

    private func storeText(_ form: TextForm) -> String {
        guard let store else { return "" }
        let problem = store.problem.map {
            form.styled("history is kept in memory only: \($0.printable)", .bad) + "\n"
        }
        let lost = store.lost == 0 ? "" : "not kept: \(count(store.lost, "row"))\n"
        return (problem ?? "kept in \(store.path.printable), \(count(store.bytes, "byte"))\n")
            + lost
    }

    /// Everything that happened, a row each.
    public var csv: CSV {
        var csv = CSV([
            "event", "time", "generation", "endpoints", "read_ms", "compile_ms", "apply_ms",
            "changes", "errors", "stopped", "pid", "version", "tenant", "endpoint", "by",
            "repaired",
        ])
        for record in generations {
            csv.append([
                "generation", record.applied.description, "\(record.number)",
                "\(record.changedEndpoints)", "\(record.readMilliseconds)",
                "\(record.compileMilliseconds)", "\(record.applyMilliseconds)",
                record.changes.map { "\($0.kind.rawValue) \($0.file)" }.joined(separator: "; "),
                record.errors.joined(separator: "; "), nil, nil, nil, nil, nil, nil, nil,
            ])
        }
        for run in runs {
            csv.append([
                "run", run.started.description, nil, nil, nil, nil, nil, nil, nil,
                run.stopped?.description, "\(run.pid)", run.version, nil, nil, nil, nil,
            ])
        }
        for record in drift {
            csv.append([
                "drift", record.found.description, nil, nil, nil, nil, nil, record.change, nil,
                nil, record.pid.map { "\($0)" }, nil, record.tenant, record.endpoint,
                record.culprit, record.isRepaired ? "true" : "false",
            ])
        }
        return csv
    }
}

extension GenerationRecord {
    /// What is not as it was before, files first.
    fileprivate var changeText: String {
        let files = changes.map { change in
            switch change.kind {
            case .added: "+\(change.file)"
            case .changed: "\(change.file)"
            case .removed: "-\(change.file)"
            case .expired: "\(change.file) (expired)"
            }
        }
        let trouble = errors.isEmpty ? [] : [count(errors.count, "mistake") + " left out"]
        let all = files + trouble
        return all.isEmpty ? "namespaces or addresses" : all.joined(separator: ", ")
    }
}
