import Foundation
import Glibc

/// Nanoseconds of the clock that never jumps; the same for every thread and namespace.
func monotonicTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Something that was waited for and didn't come.
struct NotInTime: Error, CustomStringConvertible {
    let what: String

    var description: String { "not in time: \(what)" }
}

/// Waits until the condition holds; throws when the time is over.
func wait(
    for what: @autoclosure () -> String, within limit: Duration = .seconds(10),
    isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw NotInTime(what: what()) }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// Lets traffic flow for a while: a leak is seen only by what is sent meanwhile.
func letTrafficFlow(_ time: Duration = .milliseconds(120)) async throws {
    try await Task.sleep(for: time)
}

/// Does the work on a thread of its own and gives what it leaves.
///
/// Work that blocks has no place on the threads that tasks share.
final class Worker<Outcome: Sendable>: Sendable {
    private let outcome: Task<Outcome, any Error>

    init(_ body: @escaping @Sendable () throws -> Outcome) {
        outcome = Task {
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(with: Result { try body() })
                }
            }
        }
    }

    func value() async throws -> Outcome { try await outcome.value }
}

/// Done on a thread of its own.
func onThread<Outcome: Sendable>(
    _ body: @escaping @Sendable () throws -> Outcome
) async throws -> Outcome {
    try await Worker(body).value()
}
