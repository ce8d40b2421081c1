import CBPF
import CLinux
import CNI
import Foundation
import Glibc
import NetTypes
import Policy
import Reports

@testable import HostFilter
@testable import KernelReader
@testable import Linux
@testable import Nftables

/// Everything that reads bytes which somebody else made.
public enum Reader: String, CaseIterable, Sendable {
    /// Policy files, as the operator or a tenant's own pipeline writes them.
    case policies
    /// What container runtimes ask of the plugin.
    case cni
    /// Bodies and questions of the HTTP API.
    case api
    /// Links, addresses, traffic control, and the news of them.
    case rtnetlink
    /// Tables, sets, tracked connections and the packet log.
    case nfnetlink
    /// Everybody's tables, as the audit reads them.
    case rulesets
    /// Refused flows of the host filter.
    case hostFilter = "host-filter"
    /// Events of directories.
    case inotify

    /// Takes the bytes for what it reads; whatever they are, it comes back.
    public func read(_ bytes: [UInt8]) {
        switch self {
        case .policies: readPolicy(bytes)
        case .cni: readRuntimeRequest(bytes)
        case .api: readQuestion(bytes)
        case .rtnetlink: readLinks(bytes)
        case .nfnetlink: readTables(bytes)
        case .rulesets: readRuleset(bytes)
        case .hostFilter: readRefusedFlow(bytes)
        case .inotify: _ = bytes.withUnsafeBytes { inotifyEvents(in: $0) }
        }
    }
}

private func readPolicy(_ bytes: [UInt8]) {
    guard let file = try? PolicyFile(parsing: bytes, path: "fuzz.yaml") else { return }
    _ = try? PolicySet.empty.replacing(["fuzz.yaml": file])
}

private func readRuntimeRequest(_ bytes: [UInt8]) {
    let environment = [
        "CNI_COMMAND": "ADD", "CNI_NETNS": "/run/netns/a", "CNI_IFNAME": "eth0",
        "CNI_CONTAINERID": "a",
    ]
    _ = try? CNIRequest(environment: environment, input: bytes)
}

private func readQuestion(_ bytes: [UInt8]) {
    _ = try? JSONDecoder().decode(EnforcementRequest.self, from: Data(bytes))
    let text = String(decoding: bytes, as: UTF8.self)
    _ = Timestamp(text)
    _ = Timestamp(text, now: Timestamp(milliseconds: 1_767_323_045_678))
    _ = IPAddress(text)
    _ = try? Prefix(parsing: text)
}

private func readLinks(_ bytes: [UInt8]) {
    var links = NetlinkAnswer(to: 1) { _, payload throws(NetlinkParseError) in try Link(payload) }
    try? links.append(bytes)
    var addresses = NetlinkAnswer(to: 1) { _, payload throws(NetlinkParseError) in
        try InterfaceAddress(payload)
    }
    try? addresses.append(bytes)
    var messages = NetlinkMessages(bytes[...])
    while let message = try? messages.next() {
        _ = RouteChange(message)
        _ = try? NetlinkReply(message)
    }
}

private func readTables(_ bytes: [UInt8]) {
    let read = Message.all(in: bytes[...])
    _ = ReadElement.all(in: read)
    for message in read {
        _ = Acknowledgement(message)
        _ = TrackedConnection(message)
        _ = message.attributes.map { $0.nested.map(\.text) }
    }
    _ = EndpointTable.Retired(in: bytes)
    _ = EndpointTable.digest(of: bytes)
}

/// The kinds come in the order in which the audit asks for them, so the bytes say which they are.
private func readRuleset(_ bytes: [UInt8]) {
    var builder = RulesetBuilder()
    let messages = Message.all(in: bytes[...])
    for message in messages where message.type & 0xff == Wire.newTable {
        builder.add(table: message)
    }
    for message in messages where message.type & 0xff == Wire.newChain {
        builder.add(chain: message)
    }
    builder.dropTablesWithoutHooks()
    for message in messages where message.type & 0xff == Wire.newSet { builder.add(set: message) }
    let elements = messages.filter { $0.type & 0xff == Wire.newElements }
    for set in builder.sets { builder.add(elements: elements, of: set) }
    for message in messages where message.type & 0xff == Wire.newRule { builder.add(rule: message) }
    _ = builder.ruleset
}

/// NFT_MSG_NEW* of linux/netfilter/nf_tables.h.
extension Wire {
    fileprivate static let newTable: UInt16 = 0
    fileprivate static let newChain: UInt16 = 3
    fileprivate static let newRule: UInt16 = 6
    fileprivate static let newSet: UInt16 = 9
    fileprivate static let newElements: UInt16 = 12
}

private func readRefusedFlow(_ bytes: [UInt8]) {
    let size = MemoryLayout<rf_refused_key>.size
    var rest = bytes[...]
    while rest.count >= size {
        let key = rest.withUnsafeBytes { $0.loadUnaligned(as: rf_refused_key.self) }
        _ = HostRefusedFlow(key)
        rest = rest.dropFirst(size)
    }
}
