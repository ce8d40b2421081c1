// What an endpoint may say about addresses on its link: only its own.
#pragma once

#include "judge.h"

static __always_inline int same_mac(const __u8 *left, const __u8 *right)
{
    return *(const __u16 *)left == *(const __u16 *)right &&
           *(const __u16 *)(left + 2) == *(const __u16 *)(right + 2) &&
           *(const __u16 *)(left + 4) == *(const __u16 *)(right + 4);
}

/// ARP for IPv4 over Ethernet (RFC 826): the sender must be the endpoint itself.
static __noinline int check_arp(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, struct packet *packet,
    int is_from_endpoint)
{
    __u8 message[28] ALIGNED;
    packet->destination_port = ETH_P_ARP;
    if (bpf_skb_load_bytes(skb, ETH_HLEN, message, sizeof(message)))
        return RF_MALFORMED;
    if (message[0] != 0 || message[1] != 1 || message[2] != 8 || message[3] != 0 ||
        message[4] != 6 || message[5] != 4)
        return RF_MALFORMED;
    map_v4(&packet->source, load32(message + 14));
    map_v4(&packet->destination, load32(message + 24));
    if (!is_from_endpoint)
        return RF_ADMITTED;
    __u16 operation = message[6] << 8 | message[7];
    if (operation != 1 && operation != 2)
        return RF_ARP;
    if (!same_mac(message + 8, endpoint->mac))
        return RF_ARP;
    // A probe asks before it has an address (RFC 5227, 1.1).
    if (operation == 1 && load32(message + 14) == 0)
        return RF_ADMITTED;
    return is_own(endpoint, &packet->source) ? RF_ADMITTED : RF_ARP;
}

/// Whether the options of a discovery message name no other link-layer address (RFC 4861, 4.6.1).
__noinline int check_options(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, __u32 offset)
{
    if (!endpoint)
        return RF_MALFORMED;
    for (int count = 0; count < 8; count++) {
        __u8 option[8] ALIGNED;
        if (offset >= skb->len)
            return RF_ADMITTED;
        if (bpf_skb_load_bytes(skb, offset, option, 2))
            return RF_MALFORMED;
        if (!option[1])
            return RF_MALFORMED;
        if (option[0] == 1 || option[0] == 2) {
            if (option[1] != 1 || bpf_skb_load_bytes(skb, offset, option, 8))
                return RF_MALFORMED;
            if (!same_mac(option + 2, endpoint->mac))
                return RF_NEIGHBOUR;
        }
        offset += option[1] * 8;
    }
    return RF_NEIGHBOUR;
}

/// Discovery messages that the endpoint sends.
static __always_inline int check_control_from(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet)
{
    struct rf_address target;
    int is_unspecified = is_zero(&packet->source);
    switch (packet->type) {
    case 131: case 132:
        return packet->hop_limit == 1 && !is_unspecified ? RF_ADMITTED : RF_INVALID;
    case 143:
        return packet->hop_limit == 1 ? RF_ADMITTED : RF_INVALID;
    case 134: case 137:
        return RF_ROUTER;
    case 133:
        if (packet->hop_limit != 255)
            return RF_NEIGHBOUR;
        return check_options(skb, endpoint, packet->transport + 8);
    case 135:
        if (packet->hop_limit != 255)
            return RF_NEIGHBOUR;
        return check_options(skb, endpoint, packet->transport + 24);
    case 136:
        if (packet->hop_limit != 255 || is_unspecified)
            return RF_NEIGHBOUR;
        if (bpf_skb_load_bytes(skb, packet->transport + 8, &target, sizeof(target)))
            return RF_MALFORMED;
        if (!is_own(endpoint, &target))
            return RF_NEIGHBOUR;
        return check_options(skb, endpoint, packet->transport + 24);
    }
    return RF_INVALID;
}

/// Discovery messages that the endpoint gets; other endpoints' were checked where they came from.
static __always_inline int check_control_to(const struct packet *packet, __u32 sender)
{
    switch (packet->type) {
    case 130:
        return packet->hop_limit == 1 ? RF_ADMITTED : RF_INVALID;
    case 134:
        return packet->hop_limit == 255 && !sender ? RF_ADMITTED : RF_ROUTER;
    case 135: case 136:
        return packet->hop_limit == 255 ? RF_ADMITTED : RF_NEIGHBOUR;
    case 137:
        return RF_ROUTER;
    }
    return RF_INVALID;
}
