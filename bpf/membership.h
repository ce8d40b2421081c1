// Group membership of IPv4 (IGMP): messages of one form, within the rates of listener discovery.
#pragma once

#include "discovery.h"

// The router alert option: RFC 2113, 2.1.
#define ROUTER_ALERT 0x94040000

#define ALL_ROUTERS_V4 0xe0000002
#define REPORT_ROUTERS_V4 0xe0000016

/// The IP header with at most one option of four bytes, and the first 8 bytes of a message.
struct membership {
    __u8 bytes[32] ALIGNED;
    /// Where the message starts, and how long it is.
    __u32 start;
    __u32 size;
};

/// Reads a message; whether its header has a router alert and nothing else, or no option in version 1, which
/// doesn't know it.
static __always_inline int read_membership(
    struct __sk_buff *skb, const struct packet *packet, struct membership *message)
{
    message->start = packet->transport - ETH_HLEN;
    if (message->start == 24) {
        if (bpf_skb_load_bytes(skb, ETH_HLEN, message->bytes, 32) ||
            load32(message->bytes + 20) != bpf_htonl(ROUTER_ALERT))
            return 0;
    } else if (message->start != 20 || packet->type != IGMP_REPORT_V1 ||
               bpf_skb_load_bytes(skb, ETH_HLEN, message->bytes, 28)) {
        return 0;
    }
    message->size = (message->bytes[2] << 8 | message->bytes[3]) - message->start;
    return 1;
}

/// How many groups a report names that has the one form of its type; 0 if it has another one.
static __always_inline __u32 groups_of(
    const struct packet *packet, const struct membership *message)
{
    const __u8 *rest = message->start == 24 ? message->bytes + 28 : message->bytes + 24;
    __be32 destination = load32((const __u8 *)&packet->destination + 12);
    __be32 group = load32(rest);
    if (packet->type == IGMP_REPORT_V3) {
        __u32 count = rest[2] << 8 | rest[3];
        if (destination != bpf_htonl(REPORT_ROUTERS_V4) || message->size < 8 + 8 * count)
            return 0;
        // One without groups says nothing, and costs as one with one.
        return count ? count : 1;
    }
    if (message->size != 8 || (rest[0] & 0xf0) != 0xe0 || is_unspecified(&packet->source))
        return 0;
    return destination == (packet->type == IGMP_LEAVE ? bpf_htonl(ALL_ROUTERS_V4) : group);
}

/// Reports and leaves that the endpoint sends: other endpoints don't get them, but bridges keep state for each
/// group.
static __noinline int check_membership_from(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet)
{
    struct membership message = {};
    __u64 now = bpf_ktime_get_coarse_ns();
    if (packet->is_fragment || packet->code || !read_membership(skb, packet, &message))
        return RF_INVALID;
    __u64 groups = groups_of(packet, &message);
    return groups && may_send(endpoint, now) && may_join(endpoint, now, groups) ? RF_ADMITTED
                                                                               : RF_INVALID;
}

/// Queries and reports that the endpoint gets.
static __noinline int check_membership_to(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet)
{
    if (packet->is_fragment)
        return RF_FRAGMENT;
    if (packet->type != IGMP_QUERY)
        return RF_MULTICAST;
    if (!is_hosts(skb, 0) && is_spoken_for(&packet->source))
        return RF_IDENTITY;
    return may_be_asked(skb, endpoint, 0) ? RF_ADMITTED : RF_MULTICAST;
}
