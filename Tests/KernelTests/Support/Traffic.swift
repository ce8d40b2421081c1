import NetTypes
import Testing

/// Streams of both families from `a1` to `b1`, to a port that is the matter and to its neighbour,
/// over one flow and over many.
struct Traffic {
    static let ports: [UInt16] = [7000, 7050]

    struct Lane: Hashable, CustomTestStringConvertible {
        let family: AddressFamily
        let port: UInt16
        let flows: NumberedStream.Flows

        var testDescription: String { "\(family.rawValue) port \(port) \(flows) flows" }
    }

    private let streams: [(lane: Lane, stream: NumberedStream)]

    init(in rig: Rig) throws {
        var streams: [(Lane, NumberedStream)] = []
        for family in AddressFamily.allCases {
            for port in Self.ports {
                // Two listeners on a port would share its packets, so flows have ports apart.
                for flows in NumberedStream.Flows.allCases {
                    let offset: UInt16 = flows == .one ? 0 : 1
                    streams.append(
                        (
                            Lane(family: family, port: port, flows: flows),
                            try NumberedStream(
                                from: "a1", to: "b1", family, port: port + offset, flows, in: rig)
                        ))
                }
            }
        }
        self.streams = streams.map { (lane: $0.0, stream: $0.1) }
    }

    /// Ends the traffic and requires that no forbidden packet came and no allowed one was lost.
    func judge(
        _ name: String, before: Set<UInt16>, after: Set<UInt16>, _ change: RunningAgent.Change
    ) async throws {
        var packets = 0
        var rates: [AddressFamily: UInt64] = [:]
        var late: UInt64 = 0
        for (lane, stream) in streams {
            let record = try await stream.finish()
            packets += record.sent.count
            let time = (record.sent.last?.time ?? 0) - (record.sent.first?.time ?? 0)
            rates[lane.family, default: 0] +=
                UInt64(record.sent.count) * 1_000_000_000 / max(time, 1)
            let wasOpen = before.contains(lane.port)
            let isOpen = after.contains(lane.port)
            #expect(record.duplicates == 0, "\(name), \(lane.testDescription)")
            if !wasOpen {
                #expect(
                    record.arrived(..<change.begun) == [], "\(name), early, \(lane.testDescription)"
                )
            }
            if !isOpen {
                #expect(
                    record.arrived(change.inForce...) == [], "\(name), \(lane.testDescription)")
                // On a busy machine the last one may have come before the change began.
                let last = max(record.lastArrived ?? 0, change.begun)
                if wasOpen { late = max(late, last - change.begun) }
            }
            if wasOpen && isOpen {
                #expect(record.lost(0...) == [], "\(name), lost, \(lane.testDescription)")
            } else if !wasOpen && !isOpen {
                #expect(record.arrivals.isEmpty, "\(name), \(lane.testDescription)")
            } else if wasOpen {
                #expect(
                    record.lost(..<change.begun) == [], "\(name), before, \(lane.testDescription)")
            } else {
                #expect(
                    record.lost(change.inForce...) == [], "\(name), after, \(lane.testDescription)")
            }
        }
        print(
            "leak: \(name): \(packets) packets, \(rates.values.min() ?? 0)/s a family,",
            "last forbidden \(late / 1000) us after the change began")
        #expect(
            rates.values.allSatisfy { $0 >= 5_000 },
            "\(name): the machine was too busy to send enough")
    }
}
