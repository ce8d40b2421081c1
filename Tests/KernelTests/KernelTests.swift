import Testing

/// The agent against a real kernel, with real traffic.
///
/// Each test has namespaces of its own. They run one after the other all the same: many measure
/// times, and a machine that does three things at once tells nothing about any of them.
@Suite(.serialized) enum KernelTests {}
