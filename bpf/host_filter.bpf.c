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
    key->endpoint = endpoint;
    key->protocol = packet->protocol;
    __builtin_memset(key->zero, 0, sizeof(key->zero));
    if (hook == RF_FROM) {
        key->local = packet->source;
        key->remote = packet->destination;
        key->local_port = packet->source_port;
        key->remote_port = packet->destination_port;
    } else {
        key->local = packet->destination;
        key->remote = packet->source;
        key->local_port = is_icmp ? packet->source_port : packet->destination_port;
        key->remote_port = is_icmp ? packet->destination_port : packet->source_port;
    }
}

/// Whether a packet that no flow is known of may open one.
static __always_inline int may_open(const struct packet *packet)
{
    if (packet->protocol == PROTOCOL_TCP) {
        __u8 flags = packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
        // A stream whose opening nobody saw is picked up in the middle, by who called: conntrack
        // does the same.
        return flags == TCP_SYN || flags == TCP_ACK;
    }
    return !packet->is_reply;
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

/// An ICMP error belongs to the flow that it quotes, and comes from where that flow goes.
__noinline int check_error(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    __u64 hook_sender)
{
    struct packet quote = {};
    struct rf_flow_key key ALIGNED;
    struct verdict verdict = {};
    if (!endpoint || !packet)
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
    flow_key(&key, endpoint->number, &quote, hook == RF_FROM ? RF_TO : RF_FROM);
    struct rf_flow *flow = flow_of(&key);
    if (!flow || bpf_ktime_get_coarse_ns() - flow->seen > timeout_of(key.protocol, flow->state))
        return RF_INVALID;
    if (hook == RF_TO && sender && flow->remote != RF_UNKNOWN && flow->remote != sender)
        return RF_INVALID;
    verdict.slot = flow->slot;
    if (!is_live(flow->rule, flow->slot)) {
        judge(&verdict, &key, flow->remote, flow->direction);
        if (verdict.reason != RF_ADMITTED)
            return RF_REVOKED;
    }
    count_packet(verdict.slot, skb->len - ETH_HLEN);
    return RF_ADMITTED;
}

/// Judges a packet that no live flow accounts for; remembers what it opens.
__noinline int open_flow(
    struct verdict *verdict, const struct rf_endpoint *endpoint, const struct packet *packet,
    struct rf_flow *flow, __u64 hook_sender)
{
    struct rf_flow_key key ALIGNED;
    if (!verdict || !endpoint || !packet)
        return 0;
    int hook = hook_sender & 0xff;
    __u32 sender = hook_sender >> 32;
    __u32 direction = hook == RF_FROM ? RF_EGRESS : RF_INGRESS;
    __u64 now = bpf_ktime_get_coarse_ns();
    int is_syn = packet->protocol == PROTOCOL_TCP &&
                 (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    flow_key(&key, endpoint->number, packet, hook);
    if (flow && now - flow->seen <= timeout_of(key.protocol, flow->state) && !is_syn &&
        (hook == RF_FROM || is_partner(flow, &key, sender))) {
        // Its rule is gone; another may admit it still, judged by who opened it.
        judge(verdict, &key, flow->remote == RF_UNKNOWN ? 0 : flow->remote, flow->direction);
        if (verdict->reason == RF_ADMITTED) {
            flow->slot = verdict->slot;
            flow->rule = verdict->rule;
            flow->seen = now;
        } else {
            verdict->reason = RF_REVOKED;
        }
        return 0;
    }
    if (hook == RF_FROM) {
        if (!is_own(endpoint->number, &packet->source)) {
            verdict->reason = RF_SPOOFED;
            return 0;
        }
        if (packet->protocol == PROTOCOL_UDP &&
            ((packet->source_port == 67 && packet->destination_port == 68 && !packet->is_v6) ||
             (packet->source_port == 547 && packet->destination_port == 546 && packet->is_v6))) {
            verdict->reason = RF_DHCP;
            return 0;
        }
    } else if (!is_multicast(packet) && !is_own(endpoint->number, &packet->destination)) {
        verdict->reason = RF_FORWARDED;
        return 0;
    } else if (is_own(endpoint->number, &packet->source)) {
        // What it sends itself never leaves it.
        verdict->reason = RF_SPOOFED;
        return 0;
    }
    if (!may_open(packet)) {
        verdict->reason = RF_INVALID;
        return 0;
    }
    judge(verdict, &key, sender, direction);
    if (verdict->reason != RF_ADMITTED)
        return 0;
    struct rf_flow fresh = {
        .rule = verdict->rule,
        .seen = now,
        .slot = verdict->slot,
        .remote = direction == RF_INGRESS ? sender : RF_UNKNOWN,
        .direction = direction,
        .state = RF_OPENING,
    };
    if (flow)
        *flow = fresh;
    else
        remember(endpoint, &key, &fresh);
    count_flow(verdict->slot);
    return 0;
}

/// Follows a live flow; false where the packet has to be judged.
static __always_inline int follow(
    struct verdict *verdict, struct rf_flow *flow, const struct rf_flow_key *key, __u8 tcp_flags,
    int hook, __u32 sender)
{
    __u64 now = bpf_ktime_get_coarse_ns();
    __u32 slot = flow->slot;
    rf_rule rule = flow->rule;
    int is_answer = (hook == RF_FROM) == (flow->direction == RF_INGRESS);
    if (!is_live(rule, slot) || now - flow->seen > timeout_of(key->protocol, flow->state))
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
    if (now - flow->seen > SECOND)
        flow->seen = now;
    verdict->rule = rule;
    verdict->slot = slot;
    verdict->reason = RF_ADMITTED;
    return 1;
}

/// Whether what opens no flow comes from whose address it bears.
static __always_inline int check_source(
    const struct rf_endpoint *endpoint, const struct packet *packet, int hook, __u32 sender)
{
    int is_own_source = is_own(endpoint->number, &packet->source);
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
    __u64 now = bpf_ktime_get_coarse_ns();
    if (packet->kind != KIND_FRAGMENT) {
        struct rf_fragment first = {
            .seen = now, .rule = verdict->rule, .slot = verdict->slot, .reason = verdict->reason};
        bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
        return 0;
    }
    verdict->reason = RF_FRAGMENT;
    struct rf_fragment *first = bpf_map_lookup_elem(&fragments, &key);
    // One that starts at the eighth byte could rewrite the flags of TCP: RFC 3128. Whoever puts
    // fragments together waits 60 s at most: RFC 8200, 4.5.
    if (!first || first->reason != RF_ADMITTED || now - first->seen > 60 * SECOND ||
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

/// TCP and UDP of known flows in plain packets, which nearly all are; false where it takes a closer
/// look to say anything.
static __always_inline int pass_quickly(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, int hook, __u32 sender)
{
    const __u8 *data = (const __u8 *)(long)skb->data;
    const __u8 *end = (const __u8 *)(long)skb->data_end;
    const struct ethhdr *ethernet = (const struct ethhdr *)data;
    struct rf_flow_key key ALIGNED = {.endpoint = endpoint->number};
    struct verdict verdict;
    const __u8 *transport;
    __u32 total;
    __u8 flags = 0;
    __u64 *local = (__u64 *)(hook == RF_FROM ? &key.local : &key.remote);
    __u64 *remote = (__u64 *)(hook == RF_FROM ? &key.remote : &key.local);

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
        key.protocol = header[9];
        local[1] = (__u64)load32(header + 12) << 32 | bpf_htonl(0xffff);
        remote[1] = (__u64)load32(header + 16) << 32 | bpf_htonl(0xffff);
        transport = header + 20;
        if (total < 40)
            return 0;
    } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        if (data + ETH_HLEN + 60 > end || header[0] >> 4 != 6)
            return 0;
        total = bpf_ntohs(*(const __u16 *)(header + 4)) + 40;
        key.protocol = header[6];
        __builtin_memcpy(local, header + 8, 16);
        __builtin_memcpy(remote, header + 24, 16);
        if (is_mapped(&key.local) || is_mapped(&key.remote))
            return 0;
        transport = header + 40;
        if (total < 60)
            return 0;
    } else {
        return 0;
    }
    if (total > skb->len - ETH_HLEN)
        return 0;
    if (key.protocol == PROTOCOL_TCP) {
        flags = transport[13];
        // A header without options or with some, all of it there.
        if (transport[12] >> 4 < 5 || !has_valid_flags(flags) ||
            (transport - header) + (transport[12] >> 4) * 4 > total)
            return 0;
    } else if (key.protocol != PROTOCOL_UDP || skb->gso_size ||
               bpf_ntohs(*(const __u16 *)(transport + 4)) != total - (transport - header)) {
        return 0;
    }
    __u16 source = bpf_ntohs(*(const __u16 *)transport);
    __u16 destination = bpf_ntohs(*(const __u16 *)(transport + 2));
    key.local_port = hook == RF_FROM ? source : destination;
    key.remote_port = hook == RF_FROM ? destination : source;
    struct rf_flow *flow = bpf_map_lookup_elem(&flows, &key);
    if (!flow || !follow(&verdict, flow, &key, flags, hook, sender))
        return 0;
    count_packet(verdict.slot, skb->len - ETH_HLEN);
    return 1;
}

static __always_inline int filter(struct __sk_buff *skb, int hook)
{
    __u32 interface = skb->ifindex;
    struct rf_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &interface);
    // Attached before it is known: closed.
    if (!endpoint)
        return DROP;
    struct packet packet = {};
    struct verdict verdict = {};
    struct rf_flow_key key ALIGNED;
    struct ethhdr ethernet;
    __u32 sender = hook == RF_TO ? (skb->mark & settings.identity_mask) >> settings.identity_shift : endpoint->number;
    int reason;

    if (pass_quickly(skb, endpoint, hook, sender)) {
        if (hook == RF_FROM)
            skb->mark = (skb->mark & ~settings.identity_mask) |
                        (endpoint->number << settings.identity_shift & settings.identity_mask);
        return PASS;
    }
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
        count_refused(endpoint, RF_FLOODED, skb->len - ETH_HLEN);
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
            !is_own(endpoint->number, &packet.source))
            reason = RF_SPOOFED;
        goto out;
    }
    if (packet.kind == KIND_FLOW) {
        flow_key(&key, endpoint->number, &packet, hook);
        struct rf_flow *flow = flow_of(&key);
        if (!flow || !follow(&verdict, flow, &key, packet.tcp_flags, hook, sender))
            open_flow(&verdict, endpoint, &packet, flow, (__u64)sender << 32 | hook);
    } else if ((reason = check_source(endpoint, &packet, hook, sender)) != RF_ADMITTED) {
        goto out;
    } else if (packet.kind == KIND_ERROR) {
        reason = hook == RF_FROM && !packet.is_v6 && packet.type == 5
                     ? RF_ROUTER
                     : check_error(skb, endpoint, &packet, (__u64)sender << 32 | hook);
        goto out;
    } else if (packet.kind == KIND_CONTROL) {
        reason = hook == RF_FROM ? check_control_from(skb, endpoint, &packet)
                                 : check_control_to(&packet, sender);
        if (hook == RF_TO && reason == RF_INVALID && is_multicast(&packet)) {
            // What hosts say to routers, and a bridge to everybody: nobody's attempt either.
            count_refused(endpoint, RF_MULTICAST, skb->len - ETH_HLEN);
            return DROP;
        }
        goto out;
    }
    if (packet.is_fragment)
        check_fragment(&verdict, &packet, endpoint->number, hook);
    reason = verdict.reason;
    if (reason == RF_ADMITTED)
        count_packet(verdict.slot, skb->len - ETH_HLEN);
out:
    if (reason != RF_ADMITTED) {
        refuse(skb, endpoint, &packet, (__u64)sender << 32 | hook << 8 | reason);
        return DROP;
    }
    if (hook == RF_FROM)
        skb->mark = (skb->mark & ~settings.identity_mask) |
                    (endpoint->number << settings.identity_shift & settings.identity_mask);
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
