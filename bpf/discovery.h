// Neighbour, router and listener discovery of IPv6: messages of one form, each about the sender's own
// addresses, within a rate.
#pragma once

#include "link_layer.h"

// RFC 4443, RFC 2710, RFC 3810, RFC 4861.
#define MLD_QUERY 130
#define MLD_REPORT 131
#define MLD_DONE 132
#define ROUTER_SOLICITATION 133
#define ROUTER_ADVERTISEMENT 134
#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define REDIRECT 137
#define MLD2_REPORT 143

#define OPTION_SOURCE_LINK 1
#define OPTION_TARGET_LINK 2
#define OPTION_NONCE 14

// Where discovery has its ICMPv6 header: behind the IPv6 header, and nowhere else.
#define DISCOVERY (ETH_HLEN + 40)

/// Discovery as it is on the wire: what the checksum covers in the place of the first eight bytes of the
/// IPv6 header, the addresses, and at most 32 bytes of a message.
struct discovery {
    __be32 length;
    __be32 next_header;
    struct rf_address source;
    struct rf_address destination;
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be32 flags;
    /// The option of a router solicitation, else the target.
    struct rf_address target;
    __u8 option[8];
};

/// Reads discovery of a length; whether it has the one form of it: no other header, no flow label, no
/// code, and a right checksum.
static __noinline int read_discovery(
    struct __sk_buff *skb, struct discovery *message, __u32 size)
{
    // The sum of a right message and its checksum: RFC 1071.
    if (size < 8 || size > 32 || bpf_skb_load_bytes(skb, ETH_HLEN, message, 40 + (size & 63)))
        return 0;
    const __u8 *header = (const __u8 *)message;
    // Version 6, and the class of routing protocols (RFC 4594, CS6) or none.
    if ((header[0] != 0x60 && header[0] != 0x6c) || header[1] || header[2] || header[3] ||
        message->code || (header[4] << 8 | header[5]) != size)
        return 0;
    message->length = bpf_htonl(size);
    message->next_header = bpf_htonl(PROTOCOL_ICMPV6);
    __s64 sum = bpf_csum_diff(0, 0, (__be32 *)message, sizeof(*message), 0);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
    return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/// The frame of a group's packet bears the group: RFC 2464, 7.
static __always_inline int is_rightly_framed(
    const struct ethhdr *ethernet, const struct rf_address *destination)
{
    const __u8 *address = (const __u8 *)destination;
    if (address[0] != 0xff)
        return !(ethernet->h_dest[0] & 1);
    return *(const __u16 *)ethernet->h_dest == 0x3333 &&
           *(const __u16 *)(ethernet->h_dest + 2) == *(const __u16 *)(address + 12) &&
           *(const __u16 *)(ethernet->h_dest + 4) == *(const __u16 *)(address + 14);
}

/// ff02::1:ff00:0/104 with the address' last 24 bits: RFC 4291, 2.7.1.
static __always_inline int is_solicited_group(
    const struct rf_address *group, const struct rf_address *of)
{
    const __u8 *bytes = (const __u8 *)group, *address = (const __u8 *)of;
    return group->words[0] == bpf_cpu_to_be64(0xff02000000000000ULL) &&
           *(const __u32 *)(bytes + 8) == bpf_htonl(1) && bytes[12] == 0xff &&
           bytes[13] == address[13] && *(const __u16 *)(bytes + 14) == *(const __u16 *)(address + 14);
}

/// ff02::1, ff02::2.
static __always_inline int is_link_group(const struct rf_address *address, __u64 number)
{
    return address->words[0] == bpf_cpu_to_be64(0xff02000000000000ULL) &&
           address->words[1] == bpf_cpu_to_be64(number);
}

static __always_inline int is_option(const __u8 *option, __u8 type, const __u8 *mac)
{
    return option[0] == type && option[1] == 1 && (!mac || same_mac(option + 2, mac));
}

/// RFC 4861, 4.3: with its link-layer address where it asks in the name of an address.
static __always_inline int may_solicit(
    const struct rf_endpoint *endpoint, const struct discovery *message, __u32 size)
{
    int is_unspecified = is_zero(&message->source);
    if (message->flags)
        return 0;
    if (is_unspecified) {
        // It looks for duplicates (RFC 4862, 5.4.2) of what is its own: RFC 7527 adds a nonce.
        return is_own(endpoint, &message->target) &&
               is_solicited_group(&message->destination, &message->target) &&
               (size == 24 || is_option(message->option, OPTION_NONCE, 0));
    }
    return ((const __u8 *)&message->target)[0] != 0xff &&
           (same_address(&message->destination, &message->target) ||
            is_solicited_group(&message->destination, &message->target)) &&
           (size == 24 || is_option(message->option, OPTION_SOURCE_LINK, endpoint->mac));
}

/// RFC 4861, 4.4: for its own address, to who asked or to all.
static __always_inline int may_advertise(
    const struct rf_endpoint *endpoint, const struct discovery *message, __u32 size)
{
    // Router, solicited, override.
    if (is_zero(&message->source) || message->flags & ~bpf_htonl(0xe0000000))
        return 0;
    if (is_multicast(&message->destination) && !is_link_group(&message->destination, 1))
        return 0;
    return is_own(endpoint, &message->target) &&
           (size == 24 || is_option(message->option, OPTION_TARGET_LINK, endpoint->mac));
}

/// RFC 4861, 4.1.
static __always_inline int may_ask_routers(
    const struct rf_endpoint *endpoint, const struct discovery *message, __u32 size)
{
    if (message->flags || !is_link_group(&message->destination, 2))
        return 0;
    return size == 8 || (!is_zero(&message->source) &&
                         is_option((const __u8 *)&message->target, OPTION_SOURCE_LINK, endpoint->mac));
}

/// Solicitations and advertisements that the endpoint sends.
static __noinline int check_discovery_from(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    const struct ethhdr *ethernet)
{
    struct discovery message = {};
    __u32 size = skb->len - DISCOVERY;
    int is_right = 0;
    if (packet->hop_limit != 255 || packet->transport != DISCOVERY)
        return RF_NEIGHBOUR;
    int asks_routers = packet->type == ROUTER_SOLICITATION;
    if (asks_routers ? size != 8 && size != 16 : size != 24 && size != 32)
        return size < 24 && !asks_routers ? RF_MALFORMED : RF_NEIGHBOUR;
    if (!read_discovery(skb, &message, size) ||
        !is_rightly_framed(ethernet, &message.destination))
        return RF_NEIGHBOUR;
    if (asks_routers)
        is_right = may_ask_routers(endpoint, &message, size);
    else if (packet->type == NEIGHBOUR_SOLICITATION)
        is_right = may_solicit(endpoint, &message, size);
    else
        is_right = may_advertise(endpoint, &message, size);
    return is_right && may_send(endpoint, bpf_ktime_get_coarse_ns()) ? RF_ADMITTED : RF_NEIGHBOUR;
}

/// Whether the endpoint may name so many more groups.
static __always_inline int may_join(const struct rf_endpoint *endpoint, __u64 now, __u64 groups)
{
    return is_within_rate(
        endpoint->number, RF_USAGE_GROUPS, now, groups * RF_GROUP_INTERVAL, RF_GROUP_BURST);
}

/// Whether a query for groups may reach the endpoint: the host's may.
static __always_inline int may_be_asked(
    const struct __sk_buff *skb, const struct rf_endpoint *endpoint, __u32 sender)
{
    return is_hosts(skb, sender) ||
           is_within_rate(
               endpoint->number, RF_USAGE_QUERIES, bpf_ktime_get_coarse_ns(), RF_QUERY_INTERVAL,
               RF_QUERY_BURST);
}

/// Listener reports: other endpoints don't get them, but bridges keep state for each group.
static __noinline int check_report_from(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet)
{
    __u64 now = bpf_ktime_get_coarse_ns();
    __u8 count[2] = {0, 1};
    int is_second = packet->type == MLD2_REPORT;
    if (packet->hop_limit != 1 || packet->is_fragment || !is_multicast(&packet->destination) ||
        (!is_second && is_zero(&packet->source)))
        return RF_INVALID;
    if (is_second && bpf_skb_load_bytes(skb, packet->transport + 6, count, sizeof(count)))
        return RF_MALFORMED;
    __u64 groups = count[0] << 8 | count[1];
    return may_send(endpoint, now) && may_join(endpoint, now, groups) ? RF_ADMITTED : RF_INVALID;
}

/// Discovery messages that the endpoint sends.
static __always_inline int check_control_from(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    const struct ethhdr *ethernet)
{
    switch (packet->type) {
    case MLD_REPORT: case MLD_DONE: case MLD2_REPORT:
        return check_report_from(skb, endpoint, packet);
    case ROUTER_ADVERTISEMENT: case REDIRECT:
        return RF_ROUTER;
    case ROUTER_SOLICITATION: case NEIGHBOUR_SOLICITATION: case NEIGHBOUR_ADVERTISEMENT:
        return check_discovery_from(skb, endpoint, packet, ethernet);
    }
    return RF_INVALID;
}

/// Neighbour discovery to the endpoint; what endpoints send was checked by `check_control_from`.
static __noinline int check_discovery_to(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    const struct ethhdr *ethernet, __u64 hook_sender)
{
    struct rf_address target;
    __u32 sender = hook_sender >> 32;
    __u64 now = bpf_ktime_get_coarse_ns();
    int is_others = !sender && !is_hosts(skb, sender);
    if (packet->hop_limit != 255)
        return RF_NEIGHBOUR;
    if (bpf_skb_load_bytes(skb, packet->transport + 8, &target, sizeof(target)))
        return RF_MALFORMED;
    if (packet->type == NEIGHBOUR_ADVERTISEMENT)
        return is_others && is_spoken_for(&target) ? RF_NEIGHBOUR : RF_ADMITTED;
    if (!is_own(endpoint, &target))
        return not_about_it(ethernet);
    if (is_zero(&packet->source) && !is_hosts(skb, sender) &&
        is_tentative(endpoint->number, &target, now))
        return RF_NEIGHBOUR;
    allow_answer(endpoint->number, now);
    return RF_ADMITTED;
}

/// Discovery messages that the endpoint gets.
static __always_inline int check_control_to(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    const struct ethhdr *ethernet, __u64 hook_sender)
{
    __u32 sender = hook_sender >> 32, interface = skb->ingress_ifindex;
    int is_router;
    // RFC 6980 forbids it.
    if (packet->is_fragment)
        return RF_FRAGMENT;
    if (!sender && interface && is_spoken_for(&packet->source))
        return RF_NEIGHBOUR;
    if (!is_multicast(&packet->destination) && !is_own(endpoint, &packet->destination))
        return RF_FORWARDED;
    switch (packet->type) {
    case MLD_QUERY:
        if (packet->hop_limit != 1)
            break;
        return may_be_asked(skb, endpoint, sender) ? RF_ADMITTED : RF_MULTICAST;
    case ROUTER_ADVERTISEMENT:
        is_router = is_hosts(skb, sender) ||
                    (!sender && bpf_map_lookup_elem(&uplinks, &interface));
        return packet->hop_limit == 255 && is_router ? RF_ADMITTED : RF_ROUTER;
    case NEIGHBOUR_SOLICITATION: case NEIGHBOUR_ADVERTISEMENT:
        return check_discovery_to(skb, endpoint, packet, ethernet, hook_sender);
    case REDIRECT:
        return RF_ROUTER;
    }
    return is_multicast(&packet->destination) ? RF_MULTICAST : RF_INVALID;
}
