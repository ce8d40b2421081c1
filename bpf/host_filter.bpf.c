// The host filter: what passes the host end of an endpoint's veth.
//
// Two programs, one for each way. An established packet costs one look for its flow and one for its
// rule; only what opens a flow goes on to classes and admissions. Whatever isn't understood is
// refused.
#include "judge.h"
#include "link_layer.h"
#include "refuse.h"

// Other programs on the hook run after this one, or none does: linux/bpf.h, enum tcx_action_base.
#define PASS (-1)
#define DROP 2

static __always_inline void flow_key(
    struct rf_flow_key *key, __u32 endpoint, const struct packet *packet, int hook)
{
    int is_icmp = packet->protocol == PROTOCOL_ICMP || packet->protocol == PROTOCOL_ICMPV6;
    if (hook == RF_FROM) {
        set_flow(
            key, endpoint, packet->protocol, packet->source_port, packet->destination_port);
        key->local = packet->source;
        key->remote = packet->destination;
    } else {
        set_flow(
            key, endpoint, packet->protocol,
            is_icmp ? packet->source_port : packet->destination_port,
            is_icmp ? packet->destination_port : packet->source_port);
        key->local = packet->destination;
        key->remote = packet->source;
    }
}

/// What else has to be known of a packet to judge its flow, as one word.
static __always_inline __u64 facts_of(int hook, __u8 tcp_flags, __u8 is_reply, __u32 sender)
{
    return (__u64)sender << 32 | (__u32)is_reply << 16 | (__u32)tcp_flags << 8 | hook;
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
            return RF_SPOOFED;
        if (key->protocol == PROTOCOL_UDP &&
            ((key->local_port == 67 && key->remote_port == 68 && is_mapped(&key->local)) ||
             (key->local_port == 547 && key->remote_port == 546 && !is_mapped(&key->local))))
            return RF_DHCP;
        return RF_ADMITTED;
    }
    if (!is_multicast(&key->local) && !is_own(endpoint, &key->local))
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
        // Its rule is gone; another may admit it still, judged by who opened it.
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
    __u32 remote = direction == RF_INGRESS ? sender : RF_UNKNOWN;
    if (flow)
        write_flow(flow, key, verdict, remote, direction);
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
        // A port that is used again opens a new flow, whoever uses it.
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

/// Whether what opens no flow comes from whose address it bears.
static __always_inline int check_source(
    const struct rf_endpoint *endpoint, const struct packet *packet, int hook, __u32 sender)
{
    int is_own_source = is_own(endpoint, &packet->source);
    if (hook == RF_FROM) {
        int is_nobody = packet->kind == KIND_CONTROL && is_zero(&packet->source);
        return is_own_source || is_nobody ? RF_ADMITTED : RF_SPOOFED;
    }
    if (packet->kind == KIND_CONTROL)
        return RF_ADMITTED;
    if (is_own_source)
        return RF_SPOOFED;
    return !sender && bpf_map_lookup_elem(&locals, &packet->source) ? RF_IDENTITY : RF_ADMITTED;
}

/// The fate of later fragments is the first one's.
__noinline int check_fragment(
    struct verdict *verdict, const struct packet *packet, __u32 endpoint, __u32 hook)
{
    if (!verdict || !packet)
        return 0;
    struct rf_fragment_key key = {
        .endpoint = endpoint,
        .identification = packet->identification,
        .source = packet->source,
        .destination = packet->destination,
        // The protocol that a later fragment of IPv6 names may be another: RFC 8200, 4.5.
        .protocol = packet->is_v6 ? 0 : packet->protocol,
        .hook = hook,
    };
    __u64 now = verdict->now;
    if (packet->kind != KIND_FRAGMENT) {
        struct rf_fragment first = {
            .seen = now,
            .rule = rule_of(endpoint, verdict->mark),
            .slot = verdict->slot,
            .reason = verdict->reason,
        };
        bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
        return 0;
    }
    verdict->reason = RF_FRAGMENT;
    struct rf_fragment *first = bpf_map_lookup_elem(&fragments, &key);
    // One that starts at the eighth byte could rewrite the flags of TCP: RFC 3128. Whoever puts
    // fragments together waits 60 s at most: RFC 8200, 4.5.
    if (!first || first->reason != RF_ADMITTED || is_idle(now, first->seen, 60 * SECOND) ||
        packet->fragment_offset == 1)
        return 0;
    if (!is_live(first->rule, first->slot)) {
        verdict->reason = RF_REVOKED;
        return 0;
    }
    verdict->slot = first->slot;
    verdict->reason = RF_ADMITTED;
    return 0;
}

/// Reads TCP and UDP in plain packets, which nearly all are; false where it takes a closer look to
/// say anything.
static __always_inline int read_plain(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, int hook, struct rf_flow_key *key,
    __u8 *tcp_flags)
{
    const __u8 *data = (const __u8 *)(long)skb->data;
    const __u8 *end = (const __u8 *)(long)skb->data_end;
    const struct ethhdr *ethernet = (const struct ethhdr *)data;
    struct rf_address *source = hook == RF_FROM ? &key->local : &key->remote;
    struct rf_address *destination = hook == RF_FROM ? &key->remote : &key->local;
    const __u8 *transport;
    __u32 total;
    __u8 protocol;

    if (skb->vlan_present || data + ETH_HLEN + 40 > end)
        return 0;
    if (!same_mac(hook == RF_FROM ? ethernet->h_source : ethernet->h_dest, endpoint->mac))
        return 0;
    const __u8 *header = data + ETH_HLEN;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        // No options, and no fragment.
        if (header[0] != 0x45 || (*(const __u16 *)(header + 6) & bpf_htons(0x3fff)))
            return 0;
        total = bpf_ntohs(*(const __u16 *)(header + 2));
        protocol = header[9];
        map_v4(source, *(const __be32 *)(header + 12));
        map_v4(destination, *(const __be32 *)(header + 16));
        transport = header + 20;
        if (total < 40)
            return 0;
    } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        if (data + ETH_HLEN + 60 > end || header[0] >> 4 != 6)
            return 0;
        total = bpf_ntohs(*(const __u16 *)(header + 4)) + 40;
        protocol = header[6];
        load128(source, header + 8);
        load128(destination, header + 24);
        if (is_mapped(source) || is_mapped(destination))
            return 0;
        transport = header + 40;
        if (total < 60)
            return 0;
    } else {
        return 0;
    }
    if (total > skb->len - ETH_HLEN)
        return 0;
    if (protocol == PROTOCOL_TCP) {
        *tcp_flags = transport[13];
        // A header without options or with some, all of it there.
        if (transport[12] >> 4 < 5 || !has_valid_flags(*tcp_flags) ||
            (transport - header) + (transport[12] >> 4) * 4 > total)
            return 0;
    } else if (protocol != PROTOCOL_UDP || skb->gso_size ||
               bpf_ntohs(*(const __u16 *)(transport + 4)) != total - (transport - header)) {
        return 0;
    }
    __u16 source_port = bpf_ntohs(*(const __u16 *)transport);
    __u16 destination_port = bpf_ntohs(*(const __u16 *)(transport + 2));
    if (hook == RF_FROM)
        set_flow(key, endpoint->number, protocol, source_port, destination_port);
    else
        set_flow(key, endpoint->number, protocol, destination_port, source_port);
    return 1;
}

/// Says on a packet who sent it, whatever was there before.
static __always_inline void identify(struct __sk_buff *skb, const struct rf_endpoint *endpoint)
{
    skb->mark = (skb->mark & ~settings.identity_mask) |
                (endpoint->number << settings.identity_shift & settings.identity_mask);
}

/// The key of a plain packet's flow if it is refused.
static __always_inline void refused_key(
    struct rf_refused_key *key, const struct rf_flow_key *flow, __u32 reason, int hook,
    __u32 sender)
{
    __u32 endpoint = flow->endpoint;
    if (hook == RF_FROM) {
        set_refused(
            key, endpoint, flow->local_port, flow->remote_port, flow->protocol, hook, reason, 0,
            sender);
        key->source = flow->local;
        key->destination = flow->remote;
    } else {
        set_refused(
            key, endpoint, flow->remote_port, flow->local_port, flow->protocol, hook, reason, 0,
            sender);
        key->source = flow->remote;
        key->destination = flow->local;
    }
}

/// Refuses a plain packet.
static __noinline int refuse_plain(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *flow,
    const struct verdict *verdict, __u64 hook_sender, __u32 bytes)
{
    struct rf_refused_key key;
    refused_key(&key, flow, verdict->reason, hook_sender & 0xff, hook_sender >> 32);
    refuse(endpoint, &key, verdict->reason, bytes, verdict);
    return DROP;
}

/// Refuses a plain packet that may open a flow if that was refused under the policy in force.
static __noinline int refuse_again(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *flow, struct verdict *verdict,
    __u64 hook_sender, __u32 bytes)
{
    struct rf_refused_key key;
    refused_key(&key, flow, RF_REFUSED, hook_sender & 0xff, hook_sender >> 32);
    struct rf_refused *known = bpf_map_lookup_elem(&refused, &key);
    if (!known || known->generation != verdict->generation)
        return 0;
    count_refused(endpoint, RF_REFUSED, bytes);
    count_known(known, bytes, verdict->now);
    return 1;
}

/// Refuses a packet for what it is.
static __noinline int refuse_packet(
    const struct rf_endpoint *endpoint, const struct packet *packet, __u64 reason_hook_sender,
    __u32 bytes, const struct verdict *verdict)
{
    __u32 reason = reason_hook_sender & 0xff;
    struct rf_refused_key key;
    int is_message = packet->kind == KIND_ERROR || packet->kind == KIND_CONTROL;
    set_refused(
        &key, endpoint->number, packet->source_port,
        is_message ? packet->type << 8 | packet->code : packet->destination_port,
        packet->protocol, reason_hook_sender >> 8 & 0xff, reason, packet->kind != KIND_FLOW,
        reason_hook_sender >> 32);
    key.source = packet->source;
    key.destination = packet->destination;
    refuse(endpoint, &key, reason, bytes, verdict);
    return DROP;
}

/// What packets are judged by has another number after each change.
static __always_inline __u64 generation_now(void)
{
    __u32 zero = 0;
    __u64 *number = bpf_map_lookup_elem(&generation, &zero);
    return number ? *number : 0;
}

/// The endpoint at an interface.
static __always_inline struct rf_endpoint *endpoint_at(__u32 interface, __u64 generation)
{
    if (!settings.is_alone)
        return bpf_map_lookup_elem(&endpoints, &interface);
    __u32 place = interface % RF_RECENT;
    struct rf_recent *known = bpf_map_lookup_elem(&recent, &place);
    if (!known)
        return 0;
    if (known->interface != interface || known->generation != generation) {
        struct rf_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &interface);
        if (!endpoint)
            return 0;
        known->endpoint = *endpoint;
        known->interface = interface;
        known->generation = generation;
    }
    return &known->endpoint;
}

static __always_inline int has_refused(const struct rf_endpoint *endpoint)
{
    __u64 *kept = usage_of(endpoint->number, RF_USAGE_REFUSED);
    return kept && *kept;
}

static __always_inline int filter(struct __sk_buff *skb, int hook)
{
    __u32 interface = skb->ifindex;
    // Before anything that it is the number of.
    __u64 generation = generation_now();
    struct rf_endpoint *endpoint = endpoint_at(interface, generation);
    // Attached before it is known: closed.
    if (!endpoint)
        return DROP;
    __u32 sender = hook == RF_TO
                       ? (skb->mark & settings.identity_mask) >> settings.identity_shift
                       : endpoint->number;
    __u32 bytes = skb->len > ETH_HLEN ? skb->len - ETH_HLEN : 0;
    struct verdict verdict = {
        .now = bpf_ktime_get_coarse_ns(), .reason = RF_REFUSED, .generation = generation};
    struct rf_flow_key key;
    struct packet packet;
    struct ethhdr ethernet;
    int reason;
    __u8 tcp_flags = 0, is_reply = 0;
    int is_plain = read_plain(skb, endpoint, hook, &key, &tcp_flags);
    if (is_plain)
        goto judge;

    packet = (struct packet){};
    key = (struct rf_flow_key){};
    if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet))) {
        reason = RF_MALFORMED;
        goto out;
    }
    packet.destination_port = bpf_ntohs(ethernet.h_proto);
    packet.kind = KIND_CONTROL;
    packet.type = packet.destination_port >> 8;
    packet.code = packet.destination_port;
    if (hook == RF_FROM && !same_mac(ethernet.h_source, endpoint->mac)) {
        reason = RF_SPOOFED_MAC;
        goto out;
    }
    if (hook == RF_TO && !(ethernet.h_dest[0] & 1) && !same_mac(ethernet.h_dest, endpoint->mac)) {
        // A frame that a bridge floods because it doesn't know better: nobody's attempt.
        count_refused(endpoint, RF_FLOODED, bytes);
        return DROP;
    }
    if (skb->vlan_present || ethernet.h_proto == bpf_htons(ETH_P_8021Q) ||
        ethernet.h_proto == bpf_htons(ETH_P_8021AD)) {
        reason = RF_VLAN;
        goto out;
    }
    if (ethernet.h_proto == bpf_htons(ETH_P_ARP)) {
        reason = check_arp(skb, endpoint, &packet, hook == RF_FROM);
        goto out;
    }
    if (ethernet.h_proto != bpf_htons(ETH_P_IP) && ethernet.h_proto != bpf_htons(ETH_P_IPV6)) {
        reason = RF_ETHERTYPE;
        goto out;
    }
    packet.destination_port = 0;
    packet.kind = KIND_FLOW;
    packet.type = packet.code = 0;
    reason = ethernet.h_proto == bpf_htons(ETH_P_IP) ? read_v4(skb, &packet, ETH_HLEN, 0)
                                                     : read_v6(skb, &packet, ETH_HLEN, 0);
    if (reason != RF_ADMITTED) {
        // Who it is is worth more than how it is broken.
        if (hook == RF_FROM && reason != RF_MALFORMED &&
            !is_own(endpoint, &packet.source))
            reason = RF_SPOOFED;
        goto out;
    }
    if (packet.kind == KIND_FLOW) {
        flow_key(&key, endpoint->number, &packet, hook);
        tcp_flags = packet.tcp_flags;
        is_reply = packet.is_reply;
        goto judge;
    }
    reason = check_source(endpoint, &packet, hook, sender);
    if (reason != RF_ADMITTED)
        goto out;
    if (packet.kind == KIND_ERROR) {
        reason = hook == RF_FROM && !packet.is_v6 && packet.type == 5
                     ? RF_ROUTER
                     : check_error(skb, endpoint, &packet, &key, (__u64)sender << 32 | hook);
        goto out;
    }
    if (packet.kind == KIND_CONTROL) {
        reason = hook == RF_FROM ? check_control_from(skb, endpoint, &packet)
                                 : check_control_to(&packet, sender);
        if (hook == RF_TO && reason == RF_INVALID && is_multicast(&packet.destination)) {
            // What hosts say to routers, and a bridge to everybody: nobody's attempt either.
            count_refused(endpoint, RF_MULTICAST, bytes);
            return DROP;
        }
        goto out;
    }
    goto fragment;
judge:
    verdict.hash = hash_of(&key);
    struct rf_flow *flow = flow_of(&key, verdict.hash);
    if (!flow || !follow(&verdict, flow, &key, tcp_flags, hook, sender)) {
        if (is_plain && !flow && may_open(key.protocol, tcp_flags, 0) && has_refused(endpoint) &&
            refuse_again(endpoint, &key, &verdict, (__u64)sender << 32 | hook, bytes))
            return DROP;
        open_flow(
            &verdict, endpoint, &key, flow, facts_of(hook, tcp_flags, is_reply, sender));
    }
    if (is_plain && verdict.reason != RF_ADMITTED)
        return refuse_plain(endpoint, &key, &verdict, (__u64)sender << 32 | hook, bytes);
fragment:
    if (!is_plain && packet.is_fragment)
        check_fragment(&verdict, &packet, endpoint->number, hook);
    reason = verdict.reason;
    if (reason == RF_ADMITTED)
        count_packet(&verdict, bytes);
out:
    if (reason != RF_ADMITTED)
        return refuse_packet(
            endpoint, &packet, (__u64)sender << 32 | hook << 8 | reason, bytes, &verdict);
    if (hook == RF_FROM)
        identify(skb, endpoint);
    return PASS;
}

SEC("tc")
int from_endpoint(struct __sk_buff *skb)
{
    return filter(skb, RF_FROM);
}

SEC("tc")
int to_endpoint(struct __sk_buff *skb)
{
    return filter(skb, RF_TO);
}

char _license[] SEC("license") = "Dual MIT/GPL";
