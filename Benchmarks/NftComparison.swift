import Foundation
import Lab

/// The same rules, a line each, loaded by `nft -f` in each namespace.
struct NftComparison {
    private let workload: Workload
    private let lab: Lab

    init(_ workload: Workload, lab: Lab) {
        self.workload = workload
        self.lab = lab
    }

    /// Loads them two namespaces at a time, as many processors as there are.
    func seconds() throws -> Double {
        let scripts = workload.folder + "/nft"
        try FileManager.default.createDirectory(
            atPath: scripts, withIntermediateDirectories: true)
        for index in 0..<workload.size {
            try Data(script(of: index).utf8)
                .write(to: URL(fileURLWithPath: "\(scripts)/e\(index)"))
        }
        let loop = Process()
        loop.executableURL = URL(fileURLWithPath: "/bin/sh")
        loop.arguments = [
            "-c",
            """
            seq 0 \(workload.size - 1) | xargs -P 2 -I{} \
            nsenter --net=\(lab.namespaceFolder)/e{} nft -f \(scripts)/e{}
            """,
        ]
        let start = ContinuousClock.now
        try loop.run()
        loop.waitUntilExit()
        guard loop.terminationStatus == 0 else { throw BenchError("nft -f failed") }
        let parts = (ContinuousClock.now - start).components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    private func script(of index: Int) -> String {
        let incoming = workload.callers(of: index).enumerated().flatMap { number, caller in
            workload.ports(number).map {
                "ip saddr \(workload.address(caller)) tcp dport \($0) counter accept"
            }
        }
        let outgoing = (0..<10).flatMap { number in
            let called = (index - 1 - number * 37 + 100 * workload.size) % workload.size
            return workload.ports(number).map {
                "ip daddr \(workload.address(called)) tcp dport \($0) counter accept"
            }
        }
        return """
            table inet comparison {
              chain input { type filter hook input priority 0; policy drop;
                iif lo accept
                ct state established accept
                \(incoming.joined(separator: "\n    "))
              }
              chain output { type filter hook output priority 0; policy drop;
                oif lo accept
                ct state established accept
                \(outgoing.joined(separator: "\n    "))
              }
            }
            """
    }
}
