// What is common to ARP and neighbour discovery, and ARP: messages of one form, each about the
// sender's own addresses, within a rate.
#pragma once

#include "offload.h"
#include "rates.h"

// RFC 826.
#define ARP_LENGTH 28
#define ARP_REQUEST 1
#define ARP_REPLY 2

static __always_inline int same_mac(const __u8 *left, const __u8 *right)
{
    return *(const __u16 *)left == *(const __u16 *)right &&
           *(const __u16 *)(left + 2) == *(const __u16 *)(right + 2) &&
           *(const __u16 *)(left + 4) == *(const __u16 *)(right + 4);
}

static __always_inline int is_mac_of(const __u8 *bytes, __u8 value)
{
    __u16 two = value << 8 | value;
    return *(const __u16 *)bytes == two && *(const __u16 *)(bytes + 2) == two &&
           *(const __u16 *)(bytes + 4) == two;
}

/// Whether the host's own stack made the packet: one that came in by a device has its index.
static __always_inline int is_hosts(const struct __sk_buff *skb, __u32 sender)
{
    return !sender && !skb->ingress_ifindex;
}

/// Whether an address is a local endpoint's or the host's: nothing else may speak for it.
static __noinline int is_spoken_for(const struct rf_address *address)
{
    return bpf_map_lookup_elem(&locals, address) || bpf_map_lookup_elem(&host_addresses, address);
}

/// Whether an address of the endpoint is so new that its duplicate address detection may still run.
static __noinline int is_tentative(__u32 number, const struct rf_address *address, __u64 now)
{
    struct rf_own_key key = {.endpoint = number, .address = *address};
    __u32 *since = bpf_map_lookup_elem(&own, &key);
    return since && (__u32)(now / SECOND) - *since < RF_TENTATIVE_SECONDS;
}

/// The reason for a message that isn't about the endpoint: flooded by a bridge, or sent to the wrong MAC.
static __always_inline int not_about_it(const struct ethhdr *ethernet)
{
    return ethernet->h_dest[0] & 1 ? RF_MULTICAST : RF_FORWARDED;
}

/// Whether a frame of ARP has nothing behind the message but the zeros that fill it up to 60 bytes.
static __always_inline int has_plain_padding(struct __sk_buff *skb)
{
    __u64 padding[3] = {};
    __u32 count = skb->len - ETH_HLEN - ARP_LENGTH;
    if (!count)
        return 1;
    if (count > 18 || bpf_skb_load_bytes(skb, ETH_HLEN + ARP_LENGTH, padding, count))
        return 0;
    return !(padding[0] | padding[1] | padding[2]);
}

/// Whether the endpoint may send a message of ARP: about itself, to one or to all.
static __always_inline int may_say(
    const struct rf_endpoint *endpoint, const __u8 *message, const struct packet *packet,
    const struct ethhdr *ethernet)
{
    const __u8 *target_mac = message + 18;
    if (!same_mac(message + 8, endpoint->mac))
        return 0;
    if (ethernet->h_dest[0] & 1 && !is_mac_of(ethernet->h_dest, 0xff))
        return 0;
    // Zeros, broadcast, its own MAC or the receiver's: what kernels and tools write there.
    if (!is_mac_of(target_mac, 0) && !is_mac_of(target_mac, 0xff) &&
        !same_mac(target_mac, endpoint->mac) && !same_mac(target_mac, ethernet->h_dest))
        return 0;
    // A probe asks before it has an address (RFC 5227, 1.1), and only about what is to be its own.
    if (load32(message + 14) == 0)
        return message[7] == ARP_REQUEST && is_own(endpoint, &packet->destination);
    return is_own(endpoint, &packet->source);
}

/// ARP for IPv4 over Ethernet (RFC 826).
static __noinline int check_arp(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, struct packet *packet,
    const struct ethhdr *ethernet, __u64 hook_sender)
{
    __u8 message[ARP_LENGTH] ALIGNED;
    __u32 sender = hook_sender >> 32;
    __u64 now = bpf_ktime_get_coarse_ns();
    packet->destination_port = ETH_P_ARP;
    if (bpf_skb_load_bytes(skb, ETH_HLEN, message, sizeof(message)) || !is_settled_frame(skb))
        return RF_MALFORMED;
    if (message[0] != 0 || message[1] != 1 || message[2] != 8 || message[3] != 0 ||
        message[4] != 6 || message[5] != 4)
        return RF_MALFORMED;
    map_v4(&packet->source, load32(message + 14));
    map_v4(&packet->destination, load32(message + 24));
    if (message[6] || (message[7] != ARP_REQUEST && message[7] != ARP_REPLY))
        return RF_ARP;
    if ((hook_sender & 0xff) == RF_FROM)
        return has_plain_padding(skb) && may_say(endpoint, message, packet, ethernet) &&
                       may_send(endpoint, now)
                   ? RF_ADMITTED
                   : RF_ARP;
    // Endpoints were checked where they sent it.
    if (!sender && !is_hosts(skb, sender) && is_spoken_for(&packet->source))
        return RF_ARP;
    if (is_own(endpoint, &packet->destination)) {
        if (message[7] == ARP_REQUEST)
            allow_answer(endpoint->number, now);
        return RF_ADMITTED;
    }
    // A gratuitous message: RFC 5944, 4.6.
    return load32(message + 14) && same_address(&packet->source, &packet->destination)
               ? RF_ADMITTED
               : not_about_it(ethernet);
}
