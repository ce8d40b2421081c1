// The short way into packets that are nothing out of the ordinary.
#pragma once

#include "link_layer.h"
#include "offload.h"

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
    __s64 pending = pending_checksum(skb);
    if (pending >= 0 && pending != ((__s64)(transport - data) << 16 | checksum_offset(protocol)))
        return 0;
    __u16 source_port = bpf_ntohs(*(const __u16 *)transport);
    __u16 destination_port = bpf_ntohs(*(const __u16 *)(transport + 2));
    if (hook == RF_FROM)
        set_flow(key, endpoint->number, protocol, 0, source_port, destination_port);
    else
        set_flow(key, endpoint->number, protocol, 0, destination_port, source_port);
    return 1;
}
