import Glibc
import NIOCore
import NIOPosix

/// Whether a process accepts connections at a socket; one that is too busy to does.
func isAnswered(_ socketPath: String) async -> Bool {
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    do {
        let channel = try await bootstrap.connect(unixDomainSocketPath: socketPath).get()
        channel.close(promise: nil)
        return true
    } catch let error as IOError {
        return error.errnoCode != ECONNREFUSED && error.errnoCode != ENOENT
    } catch {
        return true
    }
}
