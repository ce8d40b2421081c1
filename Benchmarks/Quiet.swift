import Foundation

/// Waits until the machine has nothing to do.
///
/// A thousand new namespaces on one bridge greet each other for many seconds (neighbour and
/// listener discovery, each message flooded to every port); whoever measures meanwhile measures
/// that.
enum Quiet {
    /// Returns when both processors were idle for nine tenths of a second's time, or after a minute.
    static func wait() async throws {
        for _ in 0..<60 {
            let before = try busy()
            try await Task.sleep(for: .seconds(1))
            let after = try busy()
            let share = (after.busy - before.busy) / max(after.all - before.all, 1)
            if share < 0.1 { return }
        }
        print("  the machine did not become quiet")
    }

    private static func busy() throws -> (busy: Double, all: Double) {
        let text = try String(contentsOfFile: "/proc/stat", encoding: .utf8)
        let line = text.split(separator: "\n").first ?? ""
        let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        // user nice system idle iowait irq softirq: proc(5).
        let all = ticks.prefix(8).reduce(0, +)
        let idle = ticks.count > 4 ? ticks[3] + ticks[4] : 0
        return (all - idle, all)
    }
}
