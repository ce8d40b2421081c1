// Whether a packet goes on with a flow that is known, belongs to one as an error does, or opens one.
#pragma once

#include "judge.h"
#include "link_layer.h"

static __always_inline void flow_key(
    struct rf_flow_key *key, __u32 endpoint, const struct packet *packet, int hook)
{
    int is_icmp = packet->protocol == PROTOCOL_ICMP || packet->protocol == PROTOCOL_ICMPV6;
    // Requests of the two sides are two flows, even if type and identifier are the same.
    int is_asking = is_icmp && (hook == RF_FROM) == !packet->is_reply;
    if (hook == RF_FROM) {
        set_flow(
            key, endpoint, packet->protocol, is_asking, packet->source_port,
            packet->destination_port);
        key->local = packet->source;
        key->remote = packet->destination;
    } else {
        set_flow(
            key, endpoint, packet->protocol, is_asking,
            is_icmp ? packet->source_port : packet->destination_port,
            is_icmp ? packet->destination_port : packet->source_port);
        key->local = packet->destination;
        key->remote = packet->source;
    }
}

/// What else has to be known of a packet to judge its flow, as one word.
static __always_inline __u64 facts_of(
    const struct __sk_buff *skb, int hook, __u8 tcp_flags, __u8 is_reply, __u32 sender)
{
    return (__u64)sender << 32 | (__u32)is_hosts(skb, sender) << 17 | (__u32)is_reply << 16 |
           (__u32)tcp_flags << 8 | hook;
}

/// Whether a packet that no flow is known of may open one.
static __always_inline int may_open(__u8 protocol, __u8 tcp_flags, int is_reply)
{
    if (protocol == PROTOCOL_TCP) {
        __u8 flags = tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
        // A stream whose opening nobody saw is picked up in the middle, by who called: conntrack
        // does the same.
        return flags == TCP_SYN || flags == TCP_ACK;
    }
    return !is_reply;
}

/// Whether a packet of the flow may come from the sender: whoever answers first is the partner, but
/// nobody answers for a local endpoint without its mark.
static __always_inline int is_partner(
    const struct rf_flow *flow, const struct rf_flow_key *key, __u32 sender)
{
    if (flow->remote != RF_UNKNOWN)
        return flow->remote == sender;
    return sender || !bpf_map_lookup_elem(&locals, &key->remote);
}

/// Looks for a flow where time is no matter and room on the stack is.
static __noinline struct rf_flow *flow_closely(const struct rf_flow_key *key)
{
    return flow_of(key, hash_of(key));
}

/// An ICMP error belongs to the flow that it quotes, and comes from where that flow goes.
///
/// The place for the flow's key is the caller's, because there is little room on the stack.
__noinline int check_error(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    struct rf_flow_key *key, __u64 hook_sender)
{
    struct packet quote = {};
    struct verdict verdict = {.reason = RF_REFUSED};
    if (!endpoint || !packet || !key)
        return RF_MALFORMED;
    int hook = hook_sender & 0xff;
    __u32 sender = hook_sender >> 32;
    int reason = packet->is_v6 ? read_v6(skb, &quote, packet->transport + 8, 1)
                               : read_v4(skb, &quote, packet->transport + 8, 1);
    if (reason != RF_ADMITTED || quote.kind != KIND_FLOW)
        return RF_INVALID;
    // It goes back to who sent what is quoted.
    if (!same_address(&packet->destination, &quote.source))
        return RF_INVALID;
    flow_key(key, endpoint->number, &quote, hook == RF_FROM ? RF_TO : RF_FROM);
    struct rf_flow *flow = flow_closely(key);
    if (!flow || is_idle(bpf_ktime_get_coarse_ns(), flow->seen, timeout_of(key->protocol, flow->state)))
        return RF_INVALID;
    if (hook == RF_TO && sender && flow->remote != RF_UNKNOWN && flow->remote != sender)
        return RF_INVALID;
    verdict.slot = flow->slot;
    if (!is_live(rule_of(key->endpoint, flow->mark), flow->slot)) {
        judge(&verdict, endpoint, key, flow->remote, flow->direction);
        if (verdict.reason != RF_ADMITTED)
            return RF_REVOKED;
    }
    count_packet(&verdict, skb->len - ETH_HLEN);
    return RF_ADMITTED;
}

/// Whether the addresses of what may open a flow are whose they should be; else why not.
static __always_inline __u32 check_addresses(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *key, int hook)
{
    if (hook == RF_FROM) {
        if (!is_own(endpoint, &key->local))
            return dhcp_port(key, RF_EGRESS) && is_discovery(&key->local, &key->remote)
                       ? RF_ADMITTED
                       : RF_SPOOFED;
        if (key->protocol == PROTOCOL_UDP &&
            ((key->local_port == 67 && key->remote_port == 68 && is_mapped(&key->local)) ||
             (key->local_port == 547 && key->remote_port == 546 && !is_mapped(&key->local))))
            return RF_DHCP;
        return RF_ADMITTED;
    }
    // A DHCP server offers an address that the endpoint hasn't yet, and that nothing else here has.
    if (!is_multicast(&key->local) && !is_own(endpoint, &key->local) &&
        (dhcp_port(key, RF_INGRESS) != DHCP_CLIENT || is_spoken_for(&key->local)))
        return RF_FORWARDED;
    // What it sends itself never leaves it.
    return is_own(endpoint, &key->remote) ? RF_SPOOFED : RF_ADMITTED;
}

/// Judges a packet that no live flow accounts for; remembers what it opens.
__noinline int open_flow(
    struct verdict *verdict, const struct rf_endpoint *endpoint, const struct rf_flow_key *key,
    struct rf_flow *flow, __u64 facts)
{
    if (!verdict || !endpoint || !key)
        return 0;
    int hook = facts & 0xff;
    __u8 tcp_flags = facts >> 8;
    int is_reply = facts >> 16 & 1;
    __u32 sender = facts >> 32;
    __u32 direction = hook == RF_FROM ? RF_EGRESS : RF_INGRESS;
    __u64 now = verdict->now;
    int is_syn = (tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    if (flow && !is_idle(now, flow->seen, timeout_of(key->protocol, flow->state)) && !is_syn &&
        (hook == RF_FROM || is_partner(flow, key, sender))) {
        // Its rule is gone; another may admit it still, judged by who opened it. Its address may be
        // another's by now as well.
        verdict->reason =
            check_addresses(endpoint, key, flow->direction == RF_EGRESS ? RF_FROM : RF_TO);
        if (verdict->reason != RF_ADMITTED)
            return 0;
        judge(
            verdict, endpoint, key, flow->remote == RF_UNKNOWN ? 0 : flow->remote,
            flow->direction);
        if (verdict->reason == RF_ADMITTED) {
            flow->slot = verdict->slot;
            flow->mark = verdict->mark;
            flow->seen = now;
        } else {
            verdict->reason = RF_REVOKED;
        }
        return 0;
    }
    verdict->reason = check_addresses(endpoint, key, hook);
    if (verdict->reason != RF_ADMITTED)
        return 0;
    if (!may_open(key->protocol, tcp_flags, is_reply)) {
        verdict->reason = RF_INVALID;
        return 0;
    }
    judge(verdict, endpoint, key, sender, direction);
    if (verdict->reason != RF_ADMITTED)
        return 0;
    if (verdict->flows) {
        // A message of DHCP opens nothing, and in the host's name the host alone says one.
        if (hook == RF_TO && !sender && !(facts >> 17 & 1) &&
            bpf_map_lookup_elem(&host_addresses, &key->remote)) {
            verdict->reason = RF_IDENTITY;
            verdict->flows = 0;
        }
        return 0;
    }
    __u32 remote = direction == RF_INGRESS ? sender : RF_UNKNOWN;
    if (flow)
        replace_flow(flow, key, verdict, remote, direction);
    else
        remember(endpoint, key, verdict, remote, direction);
    verdict->flows = 1;
    return 0;
}

/// Follows a live flow; false where the packet has to be judged.
static __always_inline int follow(
    struct verdict *verdict, struct rf_flow *flow, const struct rf_flow_key *key, __u8 tcp_flags,
    int hook, __u32 sender)
{
    __u64 now = verdict->now;
    __u32 slot = flow->slot, mark = flow->mark;
    int is_answer = (hook == RF_FROM) == (flow->direction == RF_INGRESS);
    if (!is_live(rule_of(key->endpoint, mark), slot) ||
        is_idle(now, flow->seen, timeout_of(key->protocol, flow->state)))
        return 0;
    if (hook == RF_TO && flow->remote != sender) {
        if (!is_partner(flow, key, sender))
            return 0;
        flow->remote = sender;
    }
    if (tcp_flags) {
        // A port that is used again opens a new flow, whoever uses it; the one who was called opens
        // nothing over the flow of who called.
        if ((tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
            (is_answer || flow->state == RF_CLOSING))
            return 0;
        if (tcp_flags & (TCP_FIN | TCP_RST))
            flow->state = RF_CLOSING;
    }
    if (is_answer && flow->state == RF_OPENING)
        flow->state = RF_OPEN;
    // Only now and then, so that two processors seldom write to one line.
    if (is_idle(now, flow->seen, SECOND))
        flow->seen = now;
    verdict->mark = mark;
    verdict->slot = slot;
    verdict->reason = RF_ADMITTED;
    return 1;
}
