import Foundation
import Glibc
import Linux
import NetTypes
import Reports

@testable import Sinks

/// Events that can be told apart, and places to write them to.
enum Samples {
    static let moment = Timestamp(milliseconds: 1_767_323_045_678)

    /// A violation by the number in its port.
    static func violation(_ number: UInt16) -> AgentEvent {
        .violation(
            Violation(
                first: moment, last: moment,
                source: ViolationEnd(address: .v4(0x0a00_0001), tenant: "shop", endpoint: "web"),
                destination: ViolationEnd(address: .v4(0xcb00_7107)), ipProtocol: .udp,
                ports: .init(source: 40_000, destination: number), direction: .egress,
                reason: .noRule, packets: 1, bytes: 60, generation: 17))
    }

    private struct Line: Decodable {
        let at: Timestamp
        let event: String
        let record: Violation
    }

    /// The number of a violation's line; nil for another.
    static func number(_ line: some StringProtocol) -> UInt16? {
        let decoded = try? JSONDecoder().decode(Line.self, from: Data(line.utf8))
        return decoded?.event == "violation" ? decoded?.record.ports?.destination : nil
    }

    /// A folder that goes with the test.
    static func withFolder(_ work: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "ringfence-sinks-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try work(folder)
    }

    /// Waits up to ten seconds.
    static func wait(for condition: () throws -> Bool) rethrows -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if try condition() { return true }
            usleep(2000)
        }
        return try condition()
    }
}

extension SinkSet {
    func tell(_ numbers: Range<UInt16>) {
        for number in numbers { tell(Samples.violation(number), at: Samples.moment) }
    }
}
