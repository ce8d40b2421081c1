internal import API
internal import ArgumentParser
internal import Reports

/// The live screen: asks the agent each second, and draws what it says.
@MainActor
final class TopScreen {
    private let client: APIClient
    private var order: TopReport.Order
    private var earlier: Taken?
    private var latest: Taken
    private var asking: Task<Void, Never>?
    private var failure: (any Error)?

    init(client: APIClient, first: Taken, order: TopReport.Order) {
        self.client = client
        self.order = order
        latest = first
    }

    /// Until a key, a signal or the agent ends it; the terminal is as it was then.
    func run() async throws {
        let terminal = Terminal()
        let end = await follow(terminal)
        asking?.cancel()
        terminal.restore()
        if let failure {
            complain("\(failure)")
            throw ExitCode(1)
        }
        if let end, end > 0 { throw ExitCode(128 + end) }
    }

    /// The number of the signal that ended it; 0 for a key, nil for a failure.
    private func follow(_ terminal: Terminal) async -> CInt? {
        draw(on: terminal)
        for await event in TopEvent.stream(hasKeys: terminal.hasKeys) {
            switch event {
            case .key(UInt8(ascii: "q")), .key(UInt8(ascii: "Q")): return 0
            case .key(UInt8(ascii: "s")): order = order.next
            case .key: continue
            case .end(let signal): return signal
            case .resized: break
            case .tick: ask()
            }
            if failure != nil { return nil }
            draw(on: terminal)
        }
        return 0
    }

    /// Asks in the background, so that keys work while an agent is slow.
    private func ask() {
        guard asking == nil else { return }
        asking = Task {
            do {
                let taken = try await Taken(client)
                (earlier, latest) = (latest, taken)
            } catch {
                failure = error
            }
            asking = nil
        }
    }

    private func draw(on terminal: Terminal) {
        let size = OutputOptions.terminalSize ?? (columns: 80, rows: 24)
        var form = OutputOptions.form
        form.width = size.columns
        let age = ContinuousClock.now - latest.moment
        let notice =
            age > .seconds(3)
            ? "the agent has not answered for \(age.components.seconds) s; q quits" : nil
        terminal.draw(
            latest.report(after: earlier, order).screen(
                form, height: max(size.rows, 1), notice: notice))
    }
}
