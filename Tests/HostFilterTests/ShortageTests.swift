import HostFilter
import HostRules
import NetTypes
import Testing

/// What happens where a map is full.
@Suite(.serialized) struct ShortageTests {
    @Test func `what found no room is written when there is some`() throws {
        let bench = try TestBench()
        let room = bench.filter.capacity.admissions
        func isOpen(_ number: Int) throws -> Bool {
            let port = UInt16(1000 + 2 * number)
            return try bench.refusal(
                of: Frame.ip(.egress, .v4, 6, Frame.tcp(1000, port, 2)), .egress) == nil
        }
        try bench.crowd(room / 2)
        #expect(throws: BPFError.self) { try bench.open(room * 3 / 4) }
        // The same again is no success as long as nothing has changed.
        #expect(throws: BPFError.self) { try bench.open(room * 3 / 4) }
        try bench.crowd(0)
        try bench.open(room * 3 / 4)
        for number in [0, room / 4, room / 2, room * 3 / 4 - 1] { #expect(try isOpen(number)) }
        #expect(try !isOpen(room * 3 / 4))
        try bench.open(1)
        #expect(try isOpen(0))
        #expect(try !isOpen(1))
        // Nothing is left behind: there is room for somebody else again.
        try bench.crowd(room - 16)
    }
}
