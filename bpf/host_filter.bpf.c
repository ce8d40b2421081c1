// The host filter: what passes the host end of an endpoint's veth.
//
// Two programs, one for each way. An established packet costs one look for its flow and one for its
// rule; only what opens a flow goes on to classes and admissions. Whatever isn't understood is
// refused.
#include "discovery.h"
#include "follow.h"
#include "fragments.h"
#include "membership.h"
#include "plain.h"
#include "refuse.h"

/// Whether what opens no flow comes from whose address it bears.
static __always_inline int check_source(
    const struct rf_endpoint *endpoint, const struct packet *packet, int hook, __u32 sender)
{
    int is_own_source = is_own(endpoint, &packet->source);
    if (hook == RF_FROM) {
        int is_nobody = packet->kind == KIND_CONTROL && is_unspecified(&packet->source);
        return is_own_source || is_nobody ? RF_ADMITTED : RF_SPOOFED;
    }
    if (packet->kind == KIND_CONTROL)
        return RF_ADMITTED;
    if (is_own_source)
        return RF_SPOOFED;
    return !sender && bpf_map_lookup_elem(&locals, &packet->source) ? RF_IDENTITY : RF_ADMITTED;
}

/// Says on a packet who sent it, whatever was there before.
static __always_inline void identify(struct __sk_buff *skb, const struct rf_endpoint *endpoint)
{
    skb->mark = (skb->mark & ~settings.identity_mask) |
                (endpoint->number << settings.identity_shift & settings.identity_mask);
}

/// What packets are judged by has another number after each change.
static __always_inline __u64 generation_now(void)
{
    __u32 zero = 0;
    __u64 *number = bpf_map_lookup_elem(&generation, &zero);
    __u64 now = number ? *number : 0;
    // Nothing that it is the number of may be read before it. An addition that gives back the value
    // from before is a barrier: Documentation/memory-barriers.txt. Where loads stay in their order,
    // the verifier takes it out.
    if (settings.is_weakly_ordered) {
        __u64 barrier = 0, before = __sync_fetch_and_add(&barrier, 1);
        asm volatile("" : : "r"(before));
    }
    return now;
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
        // Whoever reads it meanwhile must not take half of it for valid.
        known->generation = 0;
        keep_order();
        known->endpoint = *endpoint;
        known->interface = interface;
        keep_order();
        known->generation = generation;
    }
    return &known->endpoint;
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
    __u32 known = UNKNOWN_REFUSAL;
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
        reason = check_arp(skb, endpoint, &packet, &ethernet, (__u64)sender << 32 | hook);
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
    if (!is_settled(skb, &packet)) {
        reason = RF_MALFORMED;
        goto out;
    }
    // An endpoint is no querier by itself: rules may let it be one.
    if (packet.kind == KIND_CONTROL && packet.protocol == PROTOCOL_IGMP &&
        packet.type == IGMP_QUERY && sender)
        packet.kind = KIND_FLOW;
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
        // IPv6's is a message of discovery, and refused there.
        reason = !packet.is_v6 && packet.type == 5
                     ? RF_ROUTER
                     : check_error(skb, endpoint, &packet, &key, (__u64)sender << 32 | hook);
        goto out;
    }
    if (packet.kind == KIND_CONTROL && packet.protocol == PROTOCOL_IGMP) {
        reason = hook == RF_FROM ? check_membership_from(skb, endpoint, &packet)
                                 : check_membership_to(skb, endpoint, &packet);
        goto out;
    }
    if (packet.kind == KIND_CONTROL) {
        reason = hook == RF_FROM
                     ? check_control_from(skb, endpoint, &packet, &ethernet)
                     : check_control_to(
                           skb, endpoint, &packet, &ethernet, (__u64)sender << 32 | hook);
        goto out;
    }
    goto fragment;
judge:
    verdict.hash = hash_of(&key);
    struct rf_flow *flow = flow_of(&key, verdict.hash);
    if (!flow || !follow(&verdict, flow, &key, tcp_flags, hook, sender)) {
        if (is_plain && !flow && may_open(key.protocol, tcp_flags, 0)) {
            known = NEVER_REFUSED;
            if (has_refused(endpoint))
                known = refuse_again(endpoint, &key, &verdict, (__u64)sender << 32 | hook, bytes);
            if (known == REFUSED_AGAIN)
                return DROP;
        }
        open_flow(
            &verdict, endpoint, &key, flow, facts_of(skb, hook, tcp_flags, is_reply, sender));
    }
    if (is_plain && verdict.reason != RF_ADMITTED && verdict.reason != RF_MULTICAST)
        return refuse_plain(
            endpoint, &key, &verdict, (__u64)sender << 32 | known | hook, bytes);
fragment:
    if (!is_plain && packet.is_fragment)
        check_fragment(&verdict, &packet, endpoint->number, hook);
    reason = verdict.reason;
    if (reason == RF_ADMITTED)
        count_packet(&verdict, bytes);
out:
    if (reason == RF_MULTICAST) {
        // What hosts say to routers and to all, and a bridge to everybody: nobody's attempt either.
        count_refused(endpoint, RF_MULTICAST, bytes);
        return DROP;
    }
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
