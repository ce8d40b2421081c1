// What the host filter's programs and the agent share: keys and values of the maps.
//
// Everything is in the host's byte order, except where a comment says otherwise. No structure has
// padding that is not named, because the kernel compares keys byte by byte.
#pragma once

#include <linux/types.h>

/// Raised whenever a structure or the meaning of a map changes: pinned maps of another version are
/// not taken over.
#define RF_ABI 6

/// An IPv6 address in network byte order, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
///
/// Keys are made of words: a processor waits where it reads one that was written in parts.
struct rf_address {
    __u64 words[2];
};

/// Which way a packet goes at the host end of a veth.
enum rf_hook {
    /// It comes from the endpoint.
    RF_FROM = 0,
    /// It goes to the endpoint.
    RF_TO = 1,
};

/// Who opened a flow.
enum rf_direction {
    /// The endpoint was called.
    RF_INGRESS = 0,
    /// The endpoint called.
    RF_EGRESS = 1,
};

/// Why a packet was refused.
enum rf_reason {
    RF_ADMITTED = 0,
    /// No rule admits the flow.
    RF_REFUSED = 1,
    /// The rule that admitted the flow is not live any more.
    RF_REVOKED = 2,
    /// A source address that is not the endpoint's.
    RF_SPOOFED = 3,
    /// A source link-layer address that is not the endpoint's.
    RF_SPOOFED_MAC = 4,
    /// An ARP message that speaks for others, has another form than it must, or exceeds the rate.
    RF_ARP = 5,
    /// A neighbour or router discovery message that speaks for others, has another form than it must, or
    /// exceeds the rate.
    RF_NEIGHBOUR = 6,
    /// A router advertisement or a redirect.
    RF_ROUTER = 7,
    /// A message of a DHCP server.
    RF_DHCP = 8,
    /// Neither IPv4 nor IPv6 nor ARP.
    RF_ETHERTYPE = 9,
    /// A VLAN tag.
    RF_VLAN = 10,
    /// Headers that contradict themselves or end too early.
    RF_MALFORMED = 11,
    /// More or other extension headers than are followed, or an IPv4 source route.
    RF_EXTENSION = 12,
    /// A fragment without a first one that was admitted, or one that could rewrite it.
    RF_FRAGMENT = 13,
    /// The address of a local endpoint on a packet that did not come from it.
    RF_IDENTITY = 14,
    /// An ICMP message that opens no flow and belongs to none, or an error about a flow of others.
    RF_INVALID = 15,
    /// A packet for somebody else.
    RF_FORWARDED = 16,
    // What a bridge gives to everybody is nobody's attempt: it is counted, and no flow is kept.
    /// A frame for another link-layer address.
    RF_FLOODED = 17,
    /// What hosts say to routers and to groups.
    RF_MULTICAST = 18,
    RF_REASONS = 32,
};

/// How many addresses of an endpoint stand where a packet needs no look for them.
#define RF_ADDRESSES 4

/// An endpoint's veth; the key is the interface's index in the host namespace.
///
/// The number and the namespace stay where they are in every version: the next one reads them, so that
/// programs of both understand each other's marks.
struct rf_endpoint {
    /// 1 to 65535, dense.
    __u32 number;
    /// How many flows an initiator may have in the table before its further ones compete.
    __u32 flow_budget;
    /// How many refused flows are kept.
    __u32 refusal_budget;
    /// The link-layer address of the endpoint's side.
    __u8 mac[6];
    /// How many of `addresses` count; 0 where the endpoint has none or too many for this place, and
    /// the map of own addresses has to be asked.
    __u16 address_count;
    /// All shapes that the admissions of any of its classes have, at rf_direction.
    __u32 shapes[2];
    __u32 zero;
    /// The inode of the endpoint's namespace, for the agent.
    __u64 space;
    /// Every address that it may send from; the last one again in places that are left.
    struct rf_address addresses[RF_ADDRESSES];
};

/// How many endpoints a processor holds at hand; a power of two.
#define RF_RECENT 512

/// An endpoint as a processor met it last, at its interface's index modulo RF_RECENT.
struct rf_recent {
    /// Of the entries that it was taken from: another number, and they are looked up again.
    __u64 generation;
    __u32 interface;
    __u32 zero;
    struct rf_endpoint endpoint;
};

/// Addresses that an endpoint may send from.
struct rf_own_key {
    __u32 endpoint;
    __u32 zero;
    struct rf_address address;
};

/// A local endpoint's address as another endpoint's rules see it.
struct rf_peer_key {
    /// Whose rules.
    __u32 endpoint;
    /// The number of the endpoint that sent the packet, 0 for an address that is called.
    __u32 source;
    /// All zero: whatever its address is after translation.
    struct rf_address address;
};

/// Networks as an endpoint's rules see them; a key of a longest-prefix trie.
struct rf_network_key {
    /// 32 for the endpoint, and what belongs to the address.
    __u32 prefix_length;
    /// In network byte order; with RF_NETWORK_V4, so that no IPv6 network covers IPv4 addresses.
    __u32 endpoint;
    struct rf_address address;
};
#define RF_NETWORK_V4 0x80000000

/// Which prefix lengths of protocol and port the admissions of a class have.
struct rf_shape_key {
    __u32 endpoint;
    __u32 peer_class;
    __u32 direction;
};

/// Bits 0 to 16: one protocol, so many bits of the port. Bits 17 to 24: (bit - 17) bits of the
/// protocol, any port.
typedef __u32 rf_shape;
#define RF_SHAPE_PROTOCOLS 17
#define RF_SHAPE_BITS 25

/// A block of protocols and ports that a rule admits: three words, which hash in one round.
struct rf_admission_key {
    __u32 peer_class;
    /// Of the one who is called; type and code for ICMP. The bits behind port_bits are 0.
    __u16 port;
    __u8 protocol;
    /// 0 to 8
    __u8 protocol_bits;
    __u16 endpoint;
    /// 0 to 16
    __u8 port_bits;
    __u8 direction;
};

/// The rule that admits.
struct rf_admission {
    /// Where the rule stands in the maps of rules.
    __u32 slot;
    /// The rule's mark at its endpoint.
    __u32 mark;
};

/// How many judgements a processor holds at hand; a power of two.
#define RF_JUDGEMENTS 256

/// What first packets to or from an address were judged by last, at rf_judgement_place: whatever the
/// caller's port is, the next ones are judged alike.
struct rf_judgement {
    /// Of what it was judged by, never 0: another number, and it is judged anew.
    __u64 generation;
    /// The endpoint's number, the protocol above 16 bits, rf_direction above 24, and the number of who
    /// called the endpoint above 32.
    __u64 who;
    struct rf_address remote;
    /// As in rf_admission_key.
    __u32 port;
    /// rf_reason
    __u32 reason;
    /// The rule where it is admitted.
    __u32 slot;
    __u32 mark;
};

/// Whoever makes two of them meet makes each of them be judged anew, and nothing else.
static inline __attribute__((always_inline)) __u32 rf_judgement_place(
    __u64 who, const struct rf_address *remote, __u32 port)
{
    __u64 sum = (remote->words[0] ^ who) * 0x9e3779b97f4a7c15ULL;
    sum = (sum ^ sum >> 32 ^ remote->words[1] ^ (__u64)port << 20) * 0xd6e8feb86659fd93ULL;
    return (sum ^ sum >> 32) >> 24 & (RF_JUDGEMENTS - 1);
}

/// What stands in a slot of live rules: the endpoint's number above the rule's mark; 0 is nothing.
typedef __u64 rf_rule;

struct rf_count {
    __u64 packets;
    __u64 bytes;
};

struct rf_rule_count {
    __u64 packets;
    __u64 bytes;
    __u64 flows;
};

/// A flow at an endpoint: "local" is the endpoint's side.
struct rf_flow_key {
    __u16 endpoint;
    __u8 protocol;
    /// For ICMP 1 where the endpoint asked and 0 where it was asked; otherwise 0.
    __u8 is_asking;
    /// For ICMP the identifier.
    __u16 local_port;
    /// For ICMP type and code of the request.
    __u16 remote_port;
    struct rf_address local;
    struct rf_address remote;
};

enum rf_state {
    /// One side has spoken.
    RF_OPENING = 0,
    /// Both have.
    RF_OPEN = 1,
    /// TCP: one side has closed, or both have, or one has reset.
    RF_CLOSING = 2,
};

/// A flow: one line of a processor's cache.
struct rf_flow {
    struct rf_flow_key key;
    /// CLOCK_MONOTONIC in ns, exact to a second or so.
    __u64 seen;
    /// The rule that admitted it: its mark at the endpoint, and where it stands.
    __u32 mark;
    __u32 slot;
    /// The number of the endpoint on the other side; 0 is outside, RF_UNKNOWN not known yet.
    __u32 remote;
    /// rf_direction
    __u8 direction;
    /// rf_state
    __u8 state;
    /// Whether it takes up a part of its initiator's share: not where flows compete.
    __u16 is_counted;
};
#define RF_UNKNOWN 0xffffffff

/// The table of flows is made of buckets, each with a tag for each of its places: 0 is free, RF_TAKEN
/// not written yet, RF_GONE + 0 or 1 not to be found any more.
///
/// A place is taken and given by a change of its tag alone, so nobody ever waits for anybody. Whoever
/// has a tag reads the place and compares the key. A program that has found a flow may write to it a
/// moment after it is gone: the agent gives its place back only when every program that ran then has
/// ended.
#define RF_TAG_WORDS 4
#define RF_TAGS_PER_WORD 4
#define RF_PLACES (RF_TAG_WORDS * RF_TAGS_PER_WORD)
#define RF_TAG_BITS 16
#define RF_TAKEN 0xffff
#define RF_GONE 0xfffc

struct rf_tags {
    __u64 words[RF_TAG_WORDS];
};

/// How many entries of a table are held on behalf of an endpoint; at its number times RF_USAGES.
///
/// An entry is counted before it is there, and its count goes after it: both the programs and the agent
/// add and subtract in one step.
enum rf_usage {
    /// Flows that it opened, wherever they go.
    RF_USAGE_OWN = 0,
    /// Flows that somebody outside opened to it.
    RF_USAGE_OUTSIDE = 1,
    /// Refused flows that are kept.
    RF_USAGE_REFUSED = 2,
    // Not counts, but until when (CLOCK_MONOTONIC, ns) the rate of what was sent is used up: the
    // theoretical arrival time of the generic cell rate algorithm (ITU-T I.371).
    /// ARP messages, neighbour and listener discovery.
    RF_USAGE_CONTROL = 3,
    /// Groups that listener discovery named.
    RF_USAGE_GROUPS = 4,
    /// Queries for groups that it got.
    RF_USAGE_QUERIES = 5,
    RF_USAGES = 8,
};

/// ARP and discovery messages that an endpoint may send: 200 a second, bursts of 1,024. Answers to requests
/// don't count.
#define RF_CONTROL_INTERVAL 5000000ULL
#define RF_CONTROL_BURST (1024 * RF_CONTROL_INTERVAL)

/// Groups that its listener reports may name: one a second, bursts of 256. A bridge keeps each for 260 s, and at
/// most 4,096 in all (mcast_hash_max).
#define RF_GROUP_INTERVAL 1000000000ULL
#define RF_GROUP_BURST (256 * RF_GROUP_INTERVAL)

/// Queries for groups that reach an endpoint unless the host sends them: one in 16 s, bursts of 8. The reports
/// that they ask for count.
#define RF_QUERY_INTERVAL 16000000000ULL
#define RF_QUERY_BURST (8 * RF_QUERY_INTERVAL)

/// How long, in seconds, an endpoint gets no duplicate address detection of others for a new address of its
/// own: it would take the address for a duplicate (RFC 4862, 5.4.3). Linux needs 2 s for its own.
#define RF_TENTATIVE_SECONDS 10

struct rf_fragment_key {
    __u32 endpoint;
    /// Of IPv4 16 bits; in network byte order.
    __u32 identification;
    struct rf_address source;
    struct rf_address destination;
    __u8 protocol;
    /// rf_hook
    __u8 hook;
    __u8 zero[6];
};

struct rf_fragment {
    __u64 seen;
    rf_rule rule;
    __u32 slot;
    /// rf_reason
    __u32 reason;
};

/// A refused flow as it was on the wire.
struct rf_refused_key {
    __u32 endpoint;
    /// For ICMP the identifier or 0, and type and code; for other ethertypes 0 and the ethertype.
    __u16 source_port;
    __u16 destination_port;
    __u8 protocol;
    /// rf_hook
    __u8 hook;
    /// rf_reason
    __u8 reason;
    /// 1 if the ports are not known.
    __u8 is_portless;
    /// The number of the endpoint that sent it, where that is known.
    __u32 sender;
    struct rf_address source;
    struct rf_address destination;
};

struct rf_refused {
    __u64 packets;
    __u64 bytes;
    /// CLOCK_MONOTONIC in ns.
    __u64 first;
    __u64 last;
    /// Of the policy that refused it last.
    __u64 generation;
};

#define RF_SEEDS 11

/// Random numbers for the hash of flows, so that nobody can tell which of them meet in a bucket.
struct rf_seeds {
    __u64 words[RF_SEEDS];
};

/// What is fixed when the programs are loaded.
struct rf_settings {
    struct rf_seeds seeds;
    /// The bits of a packet's mark that hold the number of the endpoint that sent it.
    __u32 identity_mask;
    /// The lowest of them.
    __u32 identity_shift;
    /// The number of buckets, a power of two of at most 2^17, less one.
    __u32 bucket_mask;
    /// Whether a program that runs is the only one on its processor: not where the kernel is made
    /// with PREEMPT_RT.
    __u32 is_alone;
    /// Whether a processor may do two loads in the other order than they are written.
    __u32 is_weakly_ordered;
    __u32 zero;
};

/// Where a flow stands.
///
/// Multilinear-HM of Lemire and Kaser, "Strongly universal string hashing is fast", 2012: with seeds
/// that nobody knows, two keys have any two values of the upper 32 bits equally often.
static inline __attribute__((always_inline)) __u32 rf_hash(
    const struct rf_seeds *seeds, const struct rf_flow_key *key)
{
    const __u64 *words = (const __u64 *)key;
    __u64 sum = seeds->words[0];
    for (int index = 0; index < 5; index++)
        sum += (seeds->words[1 + 2 * index] + (__u32)words[index]) *
               (seeds->words[2 + 2 * index] + (words[index] >> 32));
    return sum >> 32;
}

static inline __u32 rf_bucket(__u32 hash, __u32 bucket_mask)
{
    return hash & bucket_mask;
}

/// 2 to 0x8001: a free place, which is 0, must not look like the neighbour of a wanted tag when four are
/// compared at once (`zero_tags`).
static inline __u64 rf_tag(__u32 hash)
{
    return (hash >> 17) + 2;
}

/// What the ring carries: the first packet of a refused flow.
struct rf_event {
    __u64 time;
    struct rf_refused_key flow;
    __u32 bytes;
    __u32 zero;
};
