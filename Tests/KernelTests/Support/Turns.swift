import Testing

/// How many tests run at a time: each has namespaces of its own, and most of them wait most of the time.
///
/// Tests that measure what a busy processor changes, or that keep the kernel busy on purpose, run alone.
struct Turns: TestTrait, SuiteTrait, TestScoping {
    /// How many of the places at the machine a test takes.
    fileprivate let places: Int

    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        // The innermost suite that says something decides; the outer ones see that in the task.
        guard testCase != nil, !Machine.isTaken else { return try await function() }
        let places = test.traits.compactMap { $0 as? Turns }.map(\.places).max() ?? places
        await Machine.shared.enter(places)
        do {
            try await Machine.$isTaken.withValue(true) { try await function() }
        } catch {
            await Machine.shared.leave(places)
            throw error
        }
        await Machine.shared.leave(places)
    }
}

extension Trait where Self == Turns {
    /// Several at a time.
    static var inTurns: Self { Turns(places: 1) }
    /// While no other test runs.
    static var alone: Self { Turns(places: Machine.places) }
}

/// The machine that the tests share.
private actor Machine {
    static let shared = Machine()
    static let places = 3
    /// Whether the test that asks has its places already.
    @TaskLocal static var isTaken = false

    private var free = Machine.places
    /// First come, first served, so that who needs all of it gets it.
    private var waiting: [(places: Int, turn: CheckedContinuation<Void, Never>)] = []

    func enter(_ places: Int) async {
        guard waiting.isEmpty, places <= free else {
            return await withCheckedContinuation { waiting.append((places, $0)) }
        }
        free -= places
    }

    func leave(_ places: Int) {
        free += places
        while let next = waiting.first, next.places <= free {
            free -= next.places
            waiting.removeFirst()
            next.turn.resume()
        }
    }
}
