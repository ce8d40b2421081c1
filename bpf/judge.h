// Whether a rule admits a flow, and which flows there are.
#pragma once

#include "flows.h"
#include "packet.h"

#define SECOND 1000000000ULL

/// What is known about the packet's fate.
struct verdict {
    __u64 now;
    /// The rule: its mark at the endpoint, and where it stands.
    __u32 mark;
    __u32 slot;
    /// Of the flow's key.
    __u32 hash;
    /// rf_reason
    __u16 reason;
    /// How many flows the packet opens.
    __u16 flows;
    /// Of the policy that it is judged by, or of an older one.
    __u64 generation;
};

/// Idle time after which a flow is none any more, in ns: the defaults of nf_conntrack.
static __always_inline __u64 timeout_of(__u8 protocol, __u8 state)
{
    switch (protocol) {
    case PROTOCOL_TCP:
        return (state == RF_OPEN ? 432000 : 120) * SECOND;
    case PROTOCOL_SCTP:
        return (state == RF_OPEN ? 210 : 30) * SECOND;
    case PROTOCOL_UDP:
        return (state == RF_OPEN ? 120 : 30) * SECOND;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return 30 * SECOND;
    }
    return 600 * SECOND;
}

/// Whether something was last seen longer ago than so many ns.
///
/// Another processor may have seen it later than this one read its clock.
static __always_inline int is_idle(__u64 now, __u64 seen, __u64 limit)
{
    return (__s64)(now - seen) > (__s64)limit;
}

/// Writes what stands before the addresses of a flow's key as one word.
static __always_inline void set_flow(
    struct rf_flow_key *key, __u64 endpoint, __u64 protocol, __u64 is_asking, __u64 local_port,
    __u64 remote_port)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    __u64 word = endpoint | protocol << 16 | is_asking << 24 | local_port << 32 | remote_port << 48;
#else
    __u64 word = endpoint << 48 | protocol << 40 | is_asking << 32 | local_port << 16 | remote_port;
#endif
    __builtin_memcpy(key, &word, sizeof(word));
}

static __always_inline __u32 network_class(__u32 endpoint, const struct rf_address *address)
{
    __u32 family = is_mapped(address) ? RF_NETWORK_V4 : 0;
    struct rf_network_key key = {
        .prefix_length = 160, .endpoint = bpf_htonl(endpoint | family), .address = *address};
    __u32 *found = bpf_map_lookup_elem(&networks, &key);
    return found ? *found : 0;
}

static __always_inline __u32 peer_class(
    __u32 endpoint, __u32 source, const struct rf_address *address)
{
    struct rf_peer_key key = {.endpoint = endpoint, .source = source, .address = *address};
    __u32 *found = bpf_map_lookup_elem(&peers, &key);
    return found ? *found : 0;
}

static __noinline int is_among_own(__u32 endpoint, const struct rf_address *address)
{
    struct rf_own_key key = {.endpoint = endpoint, .address = *address};
    return bpf_map_lookup_elem(&own, &key) != 0;
}

static __always_inline int is_own(
    const struct rf_endpoint *endpoint, const struct rf_address *address)
{
    if (!endpoint->address_count)
        return is_among_own(endpoint->number, address);
#pragma unroll
    for (int index = 0; index < RF_ADDRESSES; index++)
        if (same_address(&endpoint->addresses[index], address))
            return 1;
    return 0;
}

/// The class of who called the endpoint.
static __always_inline __u32 caller_class(
    __u32 endpoint, __u32 sender, const struct rf_address *address, __u32 *reason)
{
    static const struct rf_address any = {};
    if (!sender) {
        // A local address without the mark of its endpoint did not come from it.
        if (bpf_map_lookup_elem(&locals, address)) {
            *reason = RF_IDENTITY;
            return 0;
        }
        __u32 known = peer_class(endpoint, 0, address);
        return known ? known : network_class(endpoint, address);
    }
    __u32 found = peer_class(endpoint, sender, address);
    // Behind a translation by the host the sender is still who it is.
    if (!found && !bpf_map_lookup_elem(&locals, address))
        found = peer_class(endpoint, sender, &any);
    return found;
}

static __always_inline rf_rule rule_of(__u64 endpoint, __u32 mark)
{
    return endpoint << 32 | mark;
}

static __always_inline int is_live(rf_rule rule, __u32 slot)
{
    rf_rule *live = bpf_map_lookup_elem(&rules, &slot);
    return rule && live && *live == rule;
}

/// The port that is called; for ICMP type and code of the request, which stand on one side only; 0 for
/// protocols whose ports no rule names.
static __always_inline __u16 called_port(const struct rf_flow_key *flow, __u32 direction)
{
    if (flow->protocol == PROTOCOL_UDPLITE || flow->protocol == PROTOCOL_DCCP)
        return 0;
    int is_remote = direction == RF_EGRESS || flow->protocol == PROTOCOL_ICMP ||
                    flow->protocol == PROTOCOL_ICMPV6;
    return is_remote ? flow->remote_port : flow->local_port;
}

/// DHCP: RFC 2131, 4.1 and RFC 8415, 7.2.
#define DHCP_CLIENT 68
#define DHCP_SERVER 67
#define DHCP6_CLIENT 546
#define DHCP6_SERVER 547

/// The protocol that rules about DHCP have: no packet has it together with a port.
#define PROTOCOL_DHCP 0

static __always_inline int has_ports(const struct rf_flow_key *flow, __u16 local, __u16 remote)
{
    return flow->local_port == local && flow->remote_port == remote;
}

/// The destination port of a message of DHCP between the endpoint as a client and a server; 0 for all else.
static __always_inline __u16 dhcp_port(const struct rf_flow_key *flow, __u32 direction)
{
    int is_v4 = is_mapped(&flow->local);
    __u16 client = is_v4 ? DHCP_CLIENT : DHCP6_CLIENT;
    __u16 server = is_v4 ? DHCP_SERVER : DHCP6_SERVER;
    if (flow->protocol != PROTOCOL_UDP || !has_ports(flow, client, server))
        return 0;
    return direction == RF_EGRESS ? server : client;
}

/// Whether addresses are those of a host that looks for a DHCP server: from 0.0.0.0 to 255.255.255.255.
static __always_inline int is_discovery(const struct rf_address *from, const struct rf_address *to)
{
    return is_mapped(from) && is_mapped(to) && !((const __u32 *)from)[3] &&
           ((const __u32 *)to)[3] == 0xffffffff;
}

/// Whether the other side looks for a DHCP server.
static __always_inline int is_searched(const struct rf_flow_key *flow)
{
    return flow->protocol == PROTOCOL_UDP && has_ports(flow, DHCP_SERVER, DHCP_CLIENT) &&
           is_discovery(&flow->remote, &flow->local);
}

/// As in rf_judgement: whoever is called, it is the endpoint that calls.
static __always_inline __u64 who_calls(
    const struct rf_flow_key *flow, __u32 sender, __u32 direction)
{
    __u64 from = direction == RF_EGRESS ? 0 : sender;
    return from << 32 | (__u64)(direction & 0xff) << 24 | flow->protocol << 16 | flow->endpoint;
}

/// Looks for an admission of one shape, if its rule is live.
static __always_inline int find_admission(
    struct verdict *verdict, const struct rf_flow_key *flow, __u32 class, __u32 direction,
    __u16 port, __u32 protocol, __u32 bit)
{
    struct rf_admission_key key;
    __u32 protocol_bits = 8, port_bits = 0, prefix = 0;
    if (bit < RF_SHAPE_PROTOCOLS) {
        port_bits = bit;
        prefix = port & ~(0xffffU >> bit);
    } else {
        protocol_bits = bit - RF_SHAPE_PROTOCOLS;
        protocol &= ~(0xffU >> (protocol_bits & 7));
    }
    // Written as the words that are hashed.
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    __u32 words[3] = {
        class, prefix | protocol << 16 | protocol_bits << 24,
        flow->endpoint | port_bits << 16 | direction << 24};
#else
    __u32 words[3] = {
        class, prefix << 16 | protocol << 8 | protocol_bits,
        (__u32)flow->endpoint << 16 | port_bits << 8 | direction};
#endif
    __builtin_memcpy(&key, words, sizeof(key));
    struct rf_admission *admission = bpf_map_lookup_elem(&admissions, &key);
    if (!admission)
        return 0;
    __u32 slot = admission->slot;
    __u32 mark = admission->mark;
    if (!is_live(rule_of(flow->endpoint, mark), slot))
        return 0;
    verdict->mark = mark;
    verdict->slot = slot;
    verdict->reason = RF_ADMITTED;
    return 1;
}

/// Looks for the live rule that admits a flow of which nothing is known.
__noinline int judge_anew(
    struct verdict *verdict, const struct rf_endpoint *endpoint, const struct rf_flow_key *flow,
    __u32 sender, __u32 direction)
{
    __u32 class, reason = RF_REFUSED;
    __u16 port;
    if (!verdict || !endpoint || !flow)
        return 0;
    if (direction == RF_EGRESS) {
        class = peer_class(flow->endpoint, 0, &flow->remote);
        if (!class)
            class = network_class(flow->endpoint, &flow->remote);
    } else {
        class = caller_class(flow->endpoint, sender, &flow->remote, &reason);
    }
    port = called_port(flow, direction);
    verdict->reason = reason;
    if (!class)
        return 0;
    // Most rules name single ports: those are looked for without asking what else there is.
    if (find_admission(verdict, flow, class, direction, port, flow->protocol, 16))
        return 0;
    if (!(endpoint->shapes[direction == RF_EGRESS] & ~(1U << 16)))
        return 0;
    struct rf_shape_key shape_key = {
        .endpoint = flow->endpoint, .peer_class = class, .direction = direction};
    rf_shape *shape = bpf_map_lookup_elem(&shapes, &shape_key);
    rf_shape left = shape ? *shape & ~(1U << 16) : 0;
    for (int count = 0; count < RF_SHAPE_BITS && left; count++) {
        if (find_admission(
                verdict, flow, class, direction, port, flow->protocol, __builtin_ctz(left) & 31))
            return 0;
        left &= left - 1;
    }
    return 0;
}

/// Where a judgement of the flow stands or would; 0 where none is kept.
static __always_inline struct rf_judgement *judgement_place(
    const struct verdict *verdict, const struct rf_flow_key *flow, __u64 who, __u16 port)
{
    if (!settings.is_alone || !verdict->generation)
        return 0;
    __u32 place = rf_judgement_place(who, &flow->remote, port);
    return bpf_map_lookup_elem(&judgements, &place);
}

/// Judges a flow by what the last one like it was judged by on this processor, if that still holds;
/// whether it does.
__noinline int judge_alike(
    struct verdict *verdict, const struct rf_flow_key *flow, __u32 sender, __u32 direction)
{
    if (!verdict || !flow)
        return 0;
    __u16 port = called_port(flow, direction);
    __u64 who = who_calls(flow, sender, direction);
    struct rf_judgement *last = judgement_place(verdict, flow, who, port);
    if (!last || last->generation != verdict->generation || last->who != who ||
        last->port != port || !same_address(&last->remote, &flow->remote) ||
        (last->reason == RF_ADMITTED && !is_live(rule_of(flow->endpoint, last->mark), last->slot)))
        return 0;
    verdict->mark = last->mark;
    verdict->slot = last->slot;
    verdict->reason = last->reason;
    return 1;
}

/// Keeps a judgement for the next flows like this.
__noinline int keep_judgement(
    const struct verdict *verdict, const struct rf_flow_key *flow, __u32 sender, __u32 direction)
{
    if (!verdict || !flow)
        return 0;
    __u16 port = called_port(flow, direction);
    __u64 who = who_calls(flow, sender, direction);
    struct rf_judgement *last = judgement_place(verdict, flow, who, port);
    if (!last)
        return 0;
    // Whoever reads it meanwhile must not take half of it for valid.
    last->generation = 0;
    keep_order();
    last->who = who;
    last->remote = flow->remote;
    last->port = port;
    last->reason = verdict->reason;
    last->slot = verdict->slot;
    last->mark = verdict->mark;
    keep_order();
    last->generation = verdict->generation;
    return 0;
}

/// Judges a message of DHCP by the rules about those; whether it is decided.
__noinline int judge_dhcp(
    struct verdict *verdict, const struct rf_endpoint *endpoint, const struct rf_flow_key *flow,
    __u32 sender, __u32 direction)
{
    __u32 class, reason = RF_REFUSED;
    if (!verdict || !endpoint || !flow)
        return 0;
    __u16 port = dhcp_port(flow, direction);
    if (!port)
        return 0;
    if (direction == RF_EGRESS) {
        class = peer_class(flow->endpoint, 0, &flow->remote);
        if (!class)
            class = network_class(flow->endpoint, &flow->remote);
    } else {
        class = caller_class(flow->endpoint, sender, &flow->remote, &reason);
    }
    if (class && find_admission(verdict, flow, class, direction, port, PROTOCOL_DHCP, 16)) {
        // It stands for itself: the addresses may be those of a host that has none yet.
        verdict->flows = 1;
        return 1;
    }
    if (is_own(endpoint, &flow->local) || is_multicast(&flow->local))
        return 0;
    // No other rule is asked about addresses that aren't the endpoint's.
    if (reason == RF_REFUSED)
        reason = direction == RF_EGRESS ? RF_SPOOFED : RF_FORWARDED;
    verdict->reason = reason;
    return 1;
}

/// Looks for the live rule that admits a flow.
///
/// Callers call the same again and again: what the last one was judged by is at hand.
static __always_inline void judge(
    struct verdict *verdict, const struct rf_endpoint *endpoint, const struct rf_flow_key *flow,
    __u32 sender, __u32 direction)
{
    // What is at hand doesn't tell messages of DHCP by their source port.
    if (dhcp_port(flow, direction) || is_searched(flow)) {
        if (judge_dhcp(verdict, endpoint, flow, sender, direction))
            return;
        judge_anew(verdict, endpoint, flow, sender, direction);
        // Unless a rule admits a search, it is said to others.
        if (verdict->reason == RF_REFUSED && is_searched(flow))
            verdict->reason = RF_MULTICAST;
        return;
    }
    if (judge_alike(verdict, flow, sender, direction))
        return;
    judge_anew(verdict, endpoint, flow, sender, direction);
    keep_judgement(verdict, flow, sender, direction);
}

static __always_inline void count_packet(const struct verdict *verdict, __u32 bytes)
{
    __u32 slot = verdict->slot;
    struct rf_rule_count *count = bpf_map_lookup_elem(&rule_counts, &slot);
    if (count) {
        count->packets++;
        count->bytes += bytes;
        count->flows += verdict->flows;
    }
}

static __always_inline __u64 *usage_of(__u32 number, enum rf_usage what)
{
    __u32 index = number * RF_USAGES + what;
    return bpf_map_lookup_elem(&usage, &index);
}

static __always_inline void write_flow(
    struct rf_flow *flow, const struct rf_flow_key *key, const struct verdict *verdict,
    __u32 remote, __u8 direction)
{
    flow->key = *key;
    flow->seen = verdict->now;
    flow->mark = verdict->mark;
    flow->slot = verdict->slot;
    flow->remote = remote;
    flow->direction = direction;
    flow->state = RF_OPENING;
}

/// Whose share a flow takes up a part of.
static __always_inline __u64 *share_of(__u32 endpoint, __u32 remote, __u32 direction)
{
    __u32 initiator = direction == RF_EGRESS ? endpoint : remote;
    // Whoever is outside can have any number of addresses: they share what each endpoint gives them.
    return initiator ? usage_of(initiator, RF_USAGE_OWN) : usage_of(endpoint, RF_USAGE_OUTSIDE);
}

/// The part of a flow that says whose share it takes up, as one word.
static __always_inline __u64 holder_of(__u32 remote, __u8 direction, __u8 state, __u16 is_counted)
{
    struct rf_flow flow = {
        .remote = remote, .direction = direction, .state = state, .is_counted = is_counted};
    __u64 word;
    __builtin_memcpy(&word, &flow.remote, sizeof(word));
    return word;
}

/// Puts a flow in the place of one with the same key that is over.
static __always_inline void replace_flow(
    struct rf_flow *flow, const struct rf_flow_key *key, const struct verdict *verdict,
    __u32 remote, __u8 direction)
{
    __u64 *word = (__u64 *)&flow->remote;
    // Another processor may write there as well: only one of two moves it from share to share.
    for (int count = 0; count < 4; count++) {
        __u64 before = *(volatile __u64 *)word;
        struct rf_flow old;
        __builtin_memcpy(&old.remote, &before, sizeof(before));
        __u64 after = holder_of(remote, direction, RF_OPENING, old.is_counted);
        if (__sync_val_compare_and_swap(word, before, after) != before)
            continue;
        if (old.is_counted &&
            (old.direction != direction || (direction == RF_INGRESS && old.remote != remote))) {
            __u64 *from = share_of(key->endpoint, old.remote, old.direction);
            __u64 *to = share_of(key->endpoint, remote, direction);
            if (from)
                __sync_fetch_and_add(from, -1);
            if (to)
                __sync_fetch_and_add(to, 1);
        }
        flow->seen = verdict->now;
        flow->mark = verdict->mark;
        flow->slot = verdict->slot;
        return;
    }
}

/// Keeps a flow where flows compete.
__noinline int remember_beside(
    const struct verdict *verdict, const struct rf_flow_key *key, __u32 remote, __u32 direction)
{
    struct rf_flow flow;
    __u32 zero = 0;
    if (!verdict || !key)
        return 0;
    __u32 *used = bpf_map_lookup_elem(&overflow_used, &zero);
    if (used && !*used)
        *used = 1;
    write_flow(&flow, key, verdict, remote, direction);
    flow.is_counted = 0;
    bpf_map_update_elem(&overflow_flows, key, &flow, BPF_ANY);
    return 0;
}

/// Remembers an admitted flow.
///
/// An initiator that has used up its share goes on, but its further flows stand where they only
/// push out each other.
static __always_inline void remember(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *key,
    const struct verdict *verdict, __u32 remote, __u32 direction)
{
    __u64 *count = share_of(endpoint->number, remote, direction);
    __u64 *word, unit;
    struct rf_flow *flow = 0;
    if (count && *count < endpoint->flow_budget) {
        // Before it is there: what ends it subtracts it.
        __u64 before = __sync_fetch_and_add(count, 1);
        if (before < endpoint->flow_budget)
            flow = take_place(verdict->hash, &word, &unit);
        if (!flow)
            __sync_fetch_and_add(count, -1);
    }
    if (!flow) {
        remember_beside(verdict, key, remote, direction);
        return;
    }
    write_flow(flow, key, verdict, remote, direction);
    flow->is_counted = 1;
    publish(verdict->hash, word, unit);
}

static __always_inline struct rf_flow *flow_of(const struct rf_flow_key *key, __u32 hash)
{
    struct rf_flow *flow = find_flow(key, hash);
    if (flow)
        return flow;
    __u32 zero = 0;
    __u32 *used = bpf_map_lookup_elem(&overflow_used, &zero);
    return used && *used ? bpf_map_lookup_elem(&overflow_flows, key) : 0;
}

static __always_inline __u32 hash_of(const struct rf_flow_key *key)
{
    // The compiler must not take the seeds for what they are before the agent sets them.
    const struct rf_seeds *seeds = (const struct rf_seeds *)&settings.seeds;
    asm volatile("" : "+r"(seeds));
    return rf_hash(seeds, key);
}
