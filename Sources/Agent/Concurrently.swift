internal import Dispatch
internal import Synchronization

/// Calls the body for every index below the count, on all processors if it is worth it.
///
/// Few calls are made here: on a busy machine another thread may take one and then wait for a
/// processor, and this one waits for it.
func concurrently<Outcome: Sendable>(
    _ count: Int, _ body: @Sendable (Int) -> Outcome
) -> [Outcome] {
    guard count > 4 else { return (0..<count).map(body) }
    let outcomes = Mutex<[Outcome?]>(Array(repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { index in
        let outcome = body(index)
        outcomes.withLock { $0[index] = outcome }
    }
    return outcomes.withLock { $0.compactMap { $0 } }
}
