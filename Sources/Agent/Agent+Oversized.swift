internal import Compiler
internal import Logging
internal import NetTypes

extension Agent {
    /// Logs once what endpoints go without because a map of theirs would overflow, and that it is over.
    ///
    /// - Parameter before: What they went without when it was logged last.
    func tellOversized(since before: [NamespaceID: CompileError]) {
        let news = compilation.errors.filter { before[$0.key] != $0.value }.sorted {
            $0.key < $1.key
        }
        // One file or one newcomer may be too much for very many endpoints.
        for (_, error) in news.prefix(8) { logger.error("\(error)") }
        if news.count > 8 {
            logger.error("the same at \(news.count - 8) more endpoints: see 'ringfence status'")
        }
        for (id, error) in before where compilation.errors[id] == nil {
            guard compilation.states[id] != nil else { continue }
            logger.notice("endpoint '\(error.endpoint)' has all that the policies say again")
        }
    }
}
