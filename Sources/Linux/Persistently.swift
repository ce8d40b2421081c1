/// Does what a kernel short of something may refuse for a moment, three times at most.
public func persistently<Outcome: ~Copyable, Failure>(
    _ body: () throws(Failure) -> Outcome
) throws(Failure) -> Outcome {
    for _ in 1..<3 {
        do throws(Failure) { return try body() } catch { continue }
    }
    return try body()
}
