import AgentCore
import NetTypes
import Testing

@Suite struct DirectorySightTests {
    private let moment = Timestamp(milliseconds: 1)

    @Test(
        arguments: [
            (inForce: 2, present: 1, believes: true), (inForce: 1, present: 0, believes: false),
            (inForce: 9, present: 0, believes: false), (inForce: 0, present: 0, believes: true),
        ])
    func `an empty directory revokes nothing`(
        _ row: (inForce: Int, present: Int, believes: Bool)
    ) {
        var sight = DirectorySight()
        let believes = sight.believes(inForce: row.inForce, present: row.present, at: moment)
        #expect(believes == row.believes)
        #expect((sight.lostSince == nil) == row.believes)
    }

    @Test func `a confirmation counts until a file is there again`() {
        var sight = DirectorySight()
        let first = sight.confirm()
        #expect(!first)
        let second = sight.believes(inForce: 3, present: 0, at: moment)
        #expect(!second)
        let third = sight.confirm()
        #expect(third)
        let fourth = sight.believes(inForce: 3, present: 0, at: moment)
        #expect(fourth)
        #expect(sight.lostSince == nil)
        let fifth = sight.believes(inForce: 0, present: 2, at: moment)
        #expect(fifth)
        let sixth = sight.believes(inForce: 2, present: 0, at: moment)
        #expect(!sixth)
    }
}
