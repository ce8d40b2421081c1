// What a packet is, as far as the programs have to know.
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "ringfence_abi.h"

// IANA, Assigned Internet Protocol Numbers.
#define PROTOCOL_HOPOPTS 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_IGMP 2
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_DCCP 33
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AH 51
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_DSTOPTS 60
#define PROTOCOL_SCTP 132
#define PROTOCOL_MOBILITY 135
#define PROTOCOL_UDPLITE 136

// RFC 9293, 3.1.
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_URG 0x20

// What asks to open an association: RFC 9260, 3.2; RFC 4340, 5.1.
#define SCTP_INIT 1
#define DCCP_REQUEST 0

// Options of IPv4: RFC 791, 3.1.
#define OPTION_END 0
#define OPTION_NONE 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

// RFC 2236, 2.1 and RFC 3376, 4: a query, reports of the three versions, and a leave.
#define IGMP_QUERY 0x11
#define IGMP_REPORT_V1 0x12
#define IGMP_REPORT_V2 0x16
#define IGMP_LEAVE 0x17
#define IGMP_REPORT_V3 0x22

/// How many IPv6 extension headers are followed.
#define EXTENSION_HEADERS 8

/// What a packet has to do with flows.
enum kind {
    /// It belongs to a flow or opens one.
    KIND_FLOW,
    /// An ICMP error: it belongs to the flow that it quotes.
    KIND_ERROR,
    /// Neighbour, router and listener discovery, and IGMP.
    KIND_CONTROL,
    /// A fragment that is not the first.
    KIND_FRAGMENT,
};

// Words are read at their natural boundaries only: the verifier wants it so.
#define ALIGNED __attribute__((aligned(8)))

static __always_inline __be32 load32(const __u8 *bytes)
{
    __be32 word;
    __builtin_memcpy(&word, bytes, sizeof(word));
    return word;
}

/// An address of IPv6 out of a packet, where words may stand anywhere.
static __always_inline void load128(struct rf_address *to, const __u8 *from)
{
    const __u32 *words = (const __u32 *)from;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    to->words[0] = words[0] | (__u64)words[1] << 32;
    to->words[1] = words[2] | (__u64)words[3] << 32;
#else
    to->words[0] = (__u64)words[0] << 32 | words[1];
    to->words[1] = (__u64)words[2] << 32 | words[3];
#endif
}

struct packet {
    struct rf_address source;
    struct rf_address destination;
    /// Where the transport header starts.
    __u32 transport;
    /// Of fragments, as it was sent.
    __u32 identification;
    /// For ICMP the identifier, and type and code of the request.
    __u16 source_port;
    __u16 destination_port;
    __u8 protocol;
    /// enum kind
    __u8 kind;
    __u8 is_v6;
    __u8 is_fragment;
    /// In units of 8 bytes.
    __u16 fragment_offset;
    __u8 hop_limit;
    /// Of SCTP and DCCP: TCP_SYN where it asks to open an association.
    __u8 tcp_flags;
    /// ICMP: as on the wire.
    __u8 type;
    __u8 code;
    /// ICMP: it answers a request.
    __u8 is_reply;
    __u8 zero;
};

static __always_inline void map_v4(struct rf_address *to, __be32 from)
{
    to->words[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    to->words[1] = (__u64)from << 32 | 0xffff0000;
#else
    to->words[1] = (__u64)0xffff << 32 | from;
#endif
}

static __always_inline int same_address(const struct rf_address *a, const struct rf_address *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

/// ::ffff:0:0/96: how IPv4 addresses are held here.
static __always_inline int is_mapped(const struct rf_address *address)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return address->words[0] == 0 && (__u32)address->words[1] == 0xffff0000;
#else
    return address->words[0] == 0 && address->words[1] >> 32 == 0xffff;
#endif
}

static __always_inline int is_zero(const struct rf_address *address)
{
    return address->words[0] == 0 && address->words[1] == 0;
}

/// 224.0.0.0/4, 255.255.255.255, ff00::/8.
static __always_inline int is_multicast(const struct rf_address *address)
{
    const __u8 *bytes = (const __u8 *)address;
    if (!is_mapped(address))
        return bytes[0] == 0xff;
    return (bytes[12] & 0xf0) == 0xe0 || (bytes[12] & bytes[13] & bytes[14] & bytes[15]) == 0xff;
}

/// 224.0.0.0/4.
static __always_inline int is_group_v4(const struct rf_address *address)
{
    return is_mapped(address) && (((const __u8 *)address)[12] & 0xf0) == 0xe0;
}

/// 0.0.0.0 or ::.
static __always_inline int is_unspecified(const struct rf_address *address)
{
    return is_zero(address) || (is_mapped(address) && !((const __u32 *)address)[3]);
}

static __always_inline int is_membership(__u8 type)
{
    return type == IGMP_QUERY || type == IGMP_REPORT_V1 || type == IGMP_REPORT_V2 ||
           type == IGMP_LEAVE || type == IGMP_REPORT_V3;
}

/// The flags that a segment may have besides PSH, ECE and CWR, as a set of numbers below 64.
///
/// They are the ones that nf_conntrack_proto_tcp.c takes: what it calls invalid, no layer lets pass.
#define FLAG(flags) (1ULL << (flags))
#define VALID_FLAGS                                                                       \
    (FLAG(TCP_SYN) | FLAG(TCP_SYN | TCP_URG) | FLAG(TCP_SYN | TCP_ACK) | FLAG(TCP_RST) |  \
     FLAG(TCP_RST | TCP_ACK) | FLAG(TCP_FIN | TCP_ACK) |                                  \
     FLAG(TCP_FIN | TCP_ACK | TCP_URG) | FLAG(TCP_ACK) | FLAG(TCP_ACK | TCP_URG))

static __always_inline int has_valid_flags(__u8 flags)
{
    return VALID_FLAGS >> (flags & 0x37) & 1;
}

/// The type of the request that an ICMP message answers, or its own; -1 if it is no query at all.
static __always_inline int request_type(__u8 type, __u8 *is_reply)
{
    switch (type) {
    case 8: case 13: case 15: case 17:
        return type;
    case 0:
        *is_reply = 1;
        return 8;
    case 14: case 16: case 18:
        *is_reply = 1;
        return type - 1;
    }
    return -1;
}

static __always_inline int request_type_v6(__u8 type, __u8 *is_reply)
{
    switch (type) {
    case 128: case 139:
        return type;
    case 129: case 140:
        *is_reply = 1;
        return type - 1;
    }
    return -1;
}

/// Reads the transport header; the length is what the packet holds of it.
static __always_inline int read_transport(
    struct __sk_buff *skb, struct packet *packet, __u32 length, int is_quoted)
{
    __u8 header[16] ALIGNED;
    int short_reason = packet->is_fragment ? RF_FRAGMENT : RF_MALFORMED;
    int query;
    switch (packet->protocol) {
    case PROTOCOL_TCP:
        // A quote holds 8 bytes at least: RFC 792.
        if (is_quoted) {
            if (length < 8 || bpf_skb_load_bytes(skb, packet->transport, header, 8))
                return RF_INVALID;
            break;
        }
        if (length < 20 || bpf_skb_load_bytes(skb, packet->transport, header, 14))
            return short_reason;
        packet->tcp_flags = header[13];
        if ((header[12] >> 4) < 5 || (__u32)(header[12] >> 4) * 4 > length)
            return short_reason;
        if (!has_valid_flags(packet->tcp_flags))
            return RF_MALFORMED;
        break;
    case PROTOCOL_UDP:
        if (length < 8 || bpf_skb_load_bytes(skb, packet->transport, header, 8))
            return is_quoted ? RF_INVALID : short_reason;
        if (!is_quoted && !packet->is_fragment && !skb->gso_size) {
            __u32 claimed = header[4] << 8 | header[5];
            if (claimed < 8 || claimed > length)
                return RF_MALFORMED;
        }
        break;
    case PROTOCOL_SCTP:
        if (length < (is_quoted ? 8 : 12) ||
            bpf_skb_load_bytes(skb, packet->transport, header, 8))
            return is_quoted ? RF_INVALID : short_reason;
        // Fragments are cut to eights: the next one would bring the chunk's type.
        if (!is_quoted && packet->is_fragment && length < 16)
            return RF_FRAGMENT;
        // It must be the only chunk of its packet: RFC 9260, 4.3.
        if (!is_quoted && length > 12 &&
            !bpf_skb_load_bytes(skb, packet->transport + 12, header + 8, 1) &&
            header[8] == SCTP_INIT)
            packet->tcp_flags = TCP_SYN;
        break;
    case PROTOCOL_UDPLITE:
    case PROTOCOL_DCCP:
        // No rule names their ports, which tell one flow from another all the same.
        if (length < 8 || bpf_skb_load_bytes(skb, packet->transport, header, 8))
            return RF_ADMITTED;
        if (packet->protocol == PROTOCOL_DCCP && !is_quoted && length > 8 &&
            !bpf_skb_load_bytes(skb, packet->transport + 8, header + 8, 1) &&
            (header[8] >> 1 & 15) == DCCP_REQUEST)
            packet->tcp_flags = TCP_SYN;
        break;
    case PROTOCOL_IGMP:
        // What stays on the link and goes to a group; rules speak of everything else.
        if (is_quoted || packet->is_v6 || packet->hop_limit != 1 || length < 8 ||
            !is_group_v4(&packet->destination) ||
            bpf_skb_load_bytes(skb, packet->transport, header, 8) || !is_membership(header[0]))
            return RF_ADMITTED;
        packet->type = header[0];
        packet->code = header[1];
        packet->kind = KIND_CONTROL;
        return RF_ADMITTED;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        // Each family has its own.
        if ((packet->protocol == PROTOCOL_ICMPV6) != packet->is_v6)
            return RF_INVALID;
        if (length < 8 || bpf_skb_load_bytes(skb, packet->transport, header, 8))
            return is_quoted ? RF_INVALID : short_reason;
        packet->type = header[0];
        packet->code = header[1];
        if (packet->is_v6) {
            if (packet->type >= 1 && packet->type <= 4) {
                packet->kind = KIND_ERROR;
                return RF_ADMITTED;
            }
            if ((packet->type >= 130 && packet->type <= 137) || packet->type == 143) {
                packet->kind = KIND_CONTROL;
                return RF_ADMITTED;
            }
            query = request_type_v6(packet->type, &packet->is_reply);
        } else {
            if (packet->type == 3 || packet->type == 4 || packet->type == 5 ||
                packet->type == 11 || packet->type == 12) {
                packet->kind = KIND_ERROR;
                return RF_ADMITTED;
            }
            query = request_type(packet->type, &packet->is_reply);
        }
        if (query < 0) {
            packet->destination_port = packet->type << 8 | packet->code;
            return RF_INVALID;
        }
        packet->source_port = header[4] << 8 | header[5];
        packet->destination_port = query << 8 | packet->code;
        return RF_ADMITTED;
    default:
        return RF_ADMITTED;
    }
    packet->source_port = header[0] << 8 | header[1];
    packet->destination_port = header[2] << 8 | header[3];
    return RF_ADMITTED;
}

/// Whether the options of an IPv4 header send it to another destination later: a loose or a strict
/// source route (RFC 791, 3.1), or options that can't be read.
static __noinline int has_source_route(struct __sk_buff *skb, __u32 offset, __u32 length)
{
    __u8 options[64] ALIGNED = {};
    __u32 at = 0;
    if (length < 4 || length > 40 || bpf_skb_load_bytes(skb, offset, options, length))
        return 1;
    for (int count = 0; count < 40 && at < length; count++) {
        __u8 kind = options[at & 63];
        if (kind == OPTION_END)
            return 0;
        if (kind == OPTION_NONE) {
            at++;
            continue;
        }
        __u8 size = options[(at + 1) & 63];
        if (kind == OPTION_LOOSE_ROUTE || kind == OPTION_STRICT_ROUTE || size < 2)
            return 1;
        at += size;
    }
    return 0;
}

/// Reads an IPv4 packet that starts at an offset; gives a reason to refuse it.
__noinline int read_v4(
    struct __sk_buff *skb, struct packet *packet, __u32 offset, int is_quoted)
{
    __u8 header[20] ALIGNED;
    if (!packet)
        return RF_MALFORMED;
    if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
        return RF_MALFORMED;
    map_v4(&packet->source, load32(header + 12));
    map_v4(&packet->destination, load32(header + 16));
    packet->protocol = header[9];
    packet->hop_limit = header[8];
    __u32 size = (header[0] & 0xf) * 4;
    __u32 total = header[2] << 8 | header[3];
    __u32 present = skb->len - offset;
    // Segments that the kernel has put together may be larger than the field can say.
    if (!total && skb->gso_size)
        total = present;
    if (header[0] >> 4 != 4 || size < 20 || total < size)
        return RF_MALFORMED;
    // A quote is cut off where the router pleased.
    if (total > present) {
        if (!is_quoted)
            return RF_MALFORMED;
        total = present;
        if (total < size)
            return RF_MALFORMED;
    }
    if (size > 20 && !is_quoted && has_source_route(skb, offset + 20, size - 20))
        return RF_EXTENSION;
    __u16 fragment = header[6] << 8 | header[7];
    packet->fragment_offset = fragment & 0x1fff;
    packet->is_fragment = (fragment & 0x3fff) != 0;
    packet->identification = *(__be16 *)(header + 4);
    packet->transport = offset + size;
    if (packet->fragment_offset) {
        packet->kind = KIND_FRAGMENT;
        return is_quoted ? RF_INVALID : RF_ADMITTED;
    }
    return read_transport(skb, packet, total - size, is_quoted);
}

/// Reads an IPv6 packet that starts at an offset; gives a reason to refuse it.
__noinline int read_v6(
    struct __sk_buff *skb, struct packet *packet, __u32 offset, int is_quoted)
{
    __u8 header[40] ALIGNED;
    if (!packet)
        return RF_MALFORMED;
    packet->is_v6 = 1;
    if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
        return RF_MALFORMED;
    __builtin_memcpy(&packet->source, header + 8, 16);
    __builtin_memcpy(&packet->destination, header + 24, 16);
    packet->hop_limit = header[7];
    packet->protocol = header[6];
    // Nobody sends mapped addresses, and they must not pass for IPv4 here: RFC 4942, 2.2.
    if (header[0] >> 4 != 6 || is_mapped(&packet->source) || is_mapped(&packet->destination))
        return RF_MALFORMED;
    __u32 total = (header[4] << 8 | header[5]) + 40;
    __u32 present = skb->len - offset;
    if (total == 40 && skb->gso_size)
        total = present;
    if (total > present) {
        if (!is_quoted)
            return RF_MALFORMED;
        total = present;
    }
    __u32 size = 40;
    for (int count = 0; count <= EXTENSION_HEADERS; count++) {
        __u8 extension[8] ALIGNED;
        __u8 next = packet->protocol;
        if (next != PROTOCOL_HOPOPTS && next != PROTOCOL_ROUTING && next != PROTOCOL_FRAGMENT &&
            next != PROTOCOL_AH && next != PROTOCOL_DSTOPTS)
            break;
        if (count == EXTENSION_HEADERS)
            return RF_EXTENSION;
        // RFC 8200, 4.3: only the first may be for every hop.
        if (next == PROTOCOL_HOPOPTS && count)
            return RF_EXTENSION;
        if (size + 8 > total || bpf_skb_load_bytes(skb, offset + size, extension, 8))
            return packet->is_fragment ? RF_FRAGMENT : RF_MALFORMED;
        packet->protocol = extension[0];
        if (next == PROTOCOL_FRAGMENT) {
            // One is enough for everybody: RFC 8200, 4.5.
            if (packet->is_fragment)
                return RF_EXTENSION;
            __u16 fragment = extension[2] << 8 | extension[3];
            packet->identification = *(__be32 *)(extension + 4);
            packet->fragment_offset = fragment >> 3;
            packet->is_fragment = (fragment & 0xfff9) != 0;
            size += 8;
            if (packet->fragment_offset) {
                packet->kind = KIND_FRAGMENT;
                packet->transport = offset + size;
                return is_quoted ? RF_INVALID : RF_ADMITTED;
            }
        } else if (next == PROTOCOL_AH) {
            size += ((__u32)extension[1] + 2) * 4;
        } else {
            // A route that is not at its end says that the destination is another one.
            if (next == PROTOCOL_ROUTING && extension[3])
                return RF_EXTENSION;
            size += ((__u32)extension[1] + 1) * 8;
        }
        if (size > total)
            return packet->is_fragment ? RF_FRAGMENT : RF_MALFORMED;
    }
    packet->transport = offset + size;
    return read_transport(skb, packet, total - size, is_quoted);
}
