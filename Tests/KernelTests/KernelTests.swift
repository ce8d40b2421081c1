import Testing

/// The agent against a real kernel, with real traffic.
///
/// Each test has namespaces of its own, so that several run at a time.
@Suite(.inTurns) enum KernelTests {}
