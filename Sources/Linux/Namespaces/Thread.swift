import Glibc

/// Does the work on a thread that is made for it, and waits for its end.
///
/// What the kernel ties to a thread, such as its namespaces, ends with it. The library call is
/// `pthread_create`.
public func onThreadOfItsOwn<Outcome: ~Copyable>(
    _ body: () throws(SystemError) -> Outcome
) throws(SystemError) -> Outcome {
    let slot = Slot<Outcome>()
    let code = withoutActuallyEscaping(body) { body in
        join(Errand { slot.outcome = Result(catching: body) })
    }
    guard code == 0 else { throw SystemError("pthread_create", code: code) }
    guard let outcome = slot.outcome.take() else {
        preconditionFailure("a joined thread has left its outcome")
    }
    return try outcome.get()
}

private func join(_ errand: Errand) -> CInt {
    let context = Unmanaged.passRetained(errand)
    defer { context.release() }
    var thread = pthread_t()
    let code = start(context, as: &thread)
    if code == 0 { pthread_join(thread, nil) }
    return code
}

func start(_ errand: Unmanaged<Errand>, as thread: inout pthread_t) -> CInt {
    pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Errand>.fromOpaque(context).takeUnretainedValue().work()
            return nil
        }, errand.toOpaque())
}

/// The C call can't carry a closure, so an object carries it.
final class Errand {
    let work: () -> Void

    init(work: @escaping () -> Void) { self.work = work }
}

/// Written by the thread, read after it was joined.
private final class Slot<Outcome: ~Copyable> {
    var outcome: Result<Outcome, SystemError>?
}
