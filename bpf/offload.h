// What a device does to a packet after the programs have judged it: it writes a pending checksum, and
// cuts segments.
#pragma once

#include "packet.h"

#include <bpf/bpf_core_read.h>

/// include/linux/skbuff.h
#define CHECKSUM_PARTIAL 3

/// The parts of the kernel's buffer that `__sk_buff` doesn't show; where they are is found when the
/// programs are loaded.
struct sk_buff {
    /// Where the sum starts, from the start of the buffer.
    __u16 csum_start;
    /// Where it is to be written, from there.
    __u16 csum_offset;
    __u16 mac_header;
    __u8 ip_summed : 2;
} __attribute__((preserve_access_index));

/// Linux 6.2, kernel/bpf/helpers.c
extern void *bpf_cast_to_kern_ctx(void *context) __ksym;

/// A checksum that a device has yet to write: where its sum starts from the Ethernet header on, above
/// where it is written from there; -1 if there is none, 0 if it starts before the header.
static __always_inline __s64 pending_checksum(struct __sk_buff *context)
{
    const struct sk_buff *skb = bpf_cast_to_kern_ctx(context);
    if (BPF_CORE_READ_BITFIELD(skb, ip_summed) != CHECKSUM_PARTIAL)
        return -1;
    __s32 start = (__s32)skb->csum_start - skb->mac_header;
    return start < 0 ? 0 : (__s64)start << 16 | skb->csum_offset;
}

/// Where a protocol has its checksum, from its header on; 0 if it isn't known.
static __always_inline __u32 checksum_offset(__u8 protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP: return 16;
    case PROTOCOL_UDP: case PROTOCOL_UDPLITE: case PROTOCOL_DCCP: return 6;
    case PROTOCOL_SCTP: return 8;
    case PROTOCOL_ICMP: case PROTOCOL_ICMPV6: return 2;
    }
    return 0;
}

/// The length of a transport header: a pending checksum behind it is that of a packet inside a tunnel.
/// Protocols that carry no tunnels have none there.
static __always_inline __u32 judged_length(__u8 protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP: case PROTOCOL_DCCP: case PROTOCOL_SCTP: case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return 0xffff;
    case PROTOCOL_UDP: case PROTOCOL_UDPLITE:
        return 8;
    }
    return 0;
}

/// Whether the device will change nothing that is judged.
///
/// A sender chooses where the checksum is written: packet(7), PACKET_VNET_HDR.
static __noinline int is_settled(struct __sk_buff *skb, const struct packet *packet)
{
    int is_message =
        packet->protocol == PROTOCOL_ICMP || packet->protocol == PROTOCOL_ICMPV6;
    int is_whole = packet->kind == KIND_FLOW && !packet->is_fragment;
    // Only these are cut into segments.
    if (skb->gso_size && (!is_whole || is_message))
        return 0;
    __s64 pending = pending_checksum(skb);
    if (pending < 0)
        return 1;
    // A pending checksum is written before a packet is fragmented.
    if (packet->is_fragment || packet->kind == KIND_FRAGMENT)
        return 0;
    __u32 start = pending >> 16, offset = pending & 0xffff, own = checksum_offset(packet->protocol);
    if (own && start == packet->transport && offset == own)
        return 1;
    return is_whole && start >= packet->transport &&
           start + offset >= packet->transport + judged_length(packet->protocol);
}

/// The same for a frame without a transport header.
static __always_inline int is_settled_frame(struct __sk_buff *skb)
{
    return !skb->gso_size && pending_checksum(skb) < 0;
}
