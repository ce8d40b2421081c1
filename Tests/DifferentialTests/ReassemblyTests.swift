import Testing

@Suite struct ReassemblyTests {
    /// A piece that comes again is ignored, whatever it says; one that overlaps undoes the packet.
    @Test func `the piece that came first counts`() {
        let (head, ports) = (0..<8, 16..<32)
        func piece(_ range: Range<Int>, isForged: Bool = false) -> Fragmentation.Piece {
            Fragmentation.Piece(
                range: range, isLast: range.upperBound == 40, isForged: isForged)
        }
        func holder(_ pieces: [Fragmentation.Piece]) -> Fragmentation.Piece? {
            var reassembly = Reassembly()
            return pieces.compactMap { reassembly.take($0, byte: 16) }.last
        }
        let (between, end) = (piece(8..<16), piece(32..<40))
        let (right, wrong) = (piece(ports), piece(ports, isForged: true))
        #expect(holder([piece(head), wrong, between, right, end]) == wrong)
        #expect(holder([piece(head), right, between, wrong, end]) == right)
        #expect(holder([piece(head), piece(8..<24), between, right, end]) == nil)
    }
}
