internal import NetTypes
internal import Policy
internal import Rules

/// What is opened at some endpoints, compiled once for all of them.
public final class CompiledOpenings: Sendable {
    let list: OpeningList
    /// The state without the endpoints' own addresses, or why there is none.
    let result: Result<EndpointState, Overflow>
    /// Where the addresses of peers were cut.
    let cut: Cut?

    /// - Parameters:
    ///   - list: What is opened.
    ///   - earlier: A cut that may be of the same peers.
    ///   - limit: How many elements a map may have.
    init(_ list: OpeningList, near earlier: Cut?, limit: Int) {
        self.list = list
        do throws(Overflow) {
            let (state, cut) = try EndpointCompiler(grants: list.openings.flatMap(\.grants))
                .state(near: earlier, limit: limit)
            result = .success(state)
            self.cut = cut
        } catch {
            result = .failure(error)
            cut = nil
        }
    }
}

extension EndpointState {
    /// The state at an endpoint that has these addresses.
    func at(_ endpoint: Endpoint) -> EndpointState {
        var state = self
        state.own = endpoint.addresses
        return state
    }
}
