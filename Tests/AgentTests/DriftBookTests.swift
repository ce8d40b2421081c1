import NetTypes
import Reports
import Testing

@testable import Agent

/// What happens again and again stays a bounded number of records, and nothing goes uncounted.
struct DriftBookTests {
    private let namespace = NamespaceID(device: 4, inode: 9)

    private func take(
        _ subject: String, at milliseconds: Int64 = 0, by process: String = "nft",
        user: UInt32? = 0, times: UInt64 = 1, _ book: inout DriftBook
    ) -> DriftRecord? {
        let key = DriftBook.Key(
            namespace: namespace, kind: .otherTable, subject: subject, process: process, user: user)
        let record = DriftRecord(
            found: Timestamp(milliseconds: milliseconds), endpoint: "b1", kind: .otherTable,
            change: "table \(subject)", process: process, isRepaired: false)
        return book.take(key, record, times: times)
    }

    @Test func `the same again grows one record`() throws {
        var book = DriftBook(series: "s")
        let first = try #require(take("a", &book))
        #expect(first.id == "s-1" && first.times == nil && !book.hasGrown)
        #expect(take("a", at: 5, &book) == nil && take("a", at: 9, times: 7, &book) == nil)
        #expect(book.hasGrown)
        let grown = book.takeGrown()
        #expect(grown.map(\.id) == ["s-1"] && grown.first?.times == 9)
        #expect(grown.first?.last == Timestamp(milliseconds: 9))
        #expect(!book.hasGrown && book.takeGrown().isEmpty)
    }

    @Test func `another process, user or hour is another record`() {
        var book = DriftBook(series: "s")
        let new = [
            take("a", &book), take("a", by: "iptables", &book), take("a", user: 5, &book),
            take("b", &book), take("a", at: DriftBook.hour + 1, &book),
        ]
        #expect(new.compactMap { $0?.id } == ["s-1", "s-2", "s-3", "s-4", "s-5"])
    }

    @Test func `however many names somebody invents, the records are few and the count is right`() {
        var book = DriftBook(series: "s")
        var records: [String: UInt64] = [:]
        func keep(_ record: DriftRecord?) {
            if let record, let id = record.id { records[id] = record.times ?? 1 }
        }
        for number in 0..<5000 { keep(take("t\(number)", at: Int64(number), &book)) }
        book.takeGrown().forEach(keep)
        #expect(records.count == DriftBook.limit + 1)
        #expect(records.values.reduce(0, +) == 5000)
        book.leave(namespace)
        #expect(take("t9", &book)?.id != nil)
    }

    @Test func `a change that never ends has a record for each hour, and all of it is told`() {
        var book = DriftBook(series: "s")
        var times: [String: UInt64] = [:]
        for second in 0..<Int64(9000) {
            if let new = take("a", at: second * 1000, &book), let id = new.id { times[id] = 1 }
            for record in second % 10 == 0 ? book.takeGrown() : [] {
                times[record.id ?? ""] = record.times
            }
        }
        for record in book.takeGrown() { times[record.id ?? ""] = record.times }
        #expect(times.count == 3 && times.values.reduce(0, +) == 9000)
    }

    @Test func `what a tenant can do hides nothing that it can't`() {
        var book = DriftBook(series: "s")
        for number in 0..<200 { _ = take("t\(number)", &book) }
        let key = DriftBook.Key(
            namespace: namespace, kind: .ownTable, subject: "own", process: "nft", user: 0)
        let record = DriftRecord(
            found: Timestamp(milliseconds: 1), endpoint: "b1", kind: .ownTable,
            change: "table inet ringfence: removed", process: "nft", isRepaired: true)
        let told = book.take(key, record)
        #expect(told?.change == record.change && told?.process == "nft")
    }
}
