internal import Foundation
internal import Glibc
internal import UnixSignals

/// What a live screen waits for.
enum TopEvent: Sendable {
    case key(UInt8)
    /// A second has passed.
    case tick
    case resized
    /// The signal with this number asks for the end.
    case end(CInt)
}

extension TopEvent {
    /// Keys, seconds and signals, until nobody listens.
    static func stream(hasKeys: Bool) -> AsyncStream<TopEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: TopEvent.self)
        let waiting = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await signals(into: continuation) }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(1))) != nil {
                        continuation.yield(.tick)
                    }
                }
            }
        }
        continuation.onTermination = { _ in waiting.cancel() }
        guard hasKeys else { return stream }
        // Reading blocks, and ends with the process.
        Thread.detachNewThread {
            while let key = Terminal.key() { continuation.yield(.key(key)) }
            continuation.yield(.end(SIGHUP))
        }
        return stream
    }

    private static func signals(into continuation: AsyncStream<TopEvent>.Continuation) async {
        let signals = await UnixSignalsSequence(
            trapping: .sigint, .sigterm, .sighup, .sigquit, .sigwinch)
        for await signal in signals {
            switch signal {
            case .sigwinch: continuation.yield(.resized)
            case .sigint: continuation.yield(.end(SIGINT))
            case .sigterm: continuation.yield(.end(SIGTERM))
            case .sigquit: continuation.yield(.end(SIGQUIT))
            default: continuation.yield(.end(SIGHUP))
            }
        }
    }
}
