// Refused packets: every one is counted, every flow of them is kept as long as there is room.
#pragma once

#include "judge.h"

// Other programs on the hook run after this one, or none does: linux/bpf.h, enum tcx_action_base.
#define PASS (-1)
#define DROP 2

static __always_inline void count_refused(
    const struct rf_endpoint *endpoint, __u32 reason, __u32 bytes)
{
    __u32 index = endpoint->number * RF_REASONS + (reason & (RF_REASONS - 1));
    struct rf_count *total = bpf_map_lookup_elem(&totals, &index);
    if (total) {
        total->packets++;
        total->bytes += bytes;
    }
}

/// Writes what stands before the addresses of a refused flow's key as two words.
static __always_inline void set_refused(
    struct rf_refused_key *key, __u64 endpoint, __u64 source_port, __u64 destination_port,
    __u64 protocol, __u64 hook, __u64 reason, __u64 is_portless, __u64 sender)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    __u64 words[2] = {
        endpoint | source_port << 32 | destination_port << 48,
        protocol | hook << 8 | reason << 16 | is_portless << 24 | sender << 32};
#else
    __u64 words[2] = {
        endpoint << 32 | source_port << 16 | destination_port,
        protocol << 56 | hook << 48 | reason << 40 | is_portless << 32 | sender};
#endif
    __builtin_memcpy(key, words, sizeof(words));
}

static __always_inline void count_known(struct rf_refused *known, __u32 bytes, __u64 now)
{
    __sync_fetch_and_add(&known->packets, 1);
    __sync_fetch_and_add(&known->bytes, bytes);
    known->last = now;
}

/// The first packet of a refused flow: keeps the flow as long as there is room, and tells of it.
static __noinline int keep_refused(
    const struct rf_endpoint *endpoint, const struct rf_refused_key *key, __u32 bytes, __u64 now,
    __u64 generation)
{
    __u64 *kept = usage_of(endpoint->number, RF_USAGE_REFUSED);
    if (!kept || *kept >= endpoint->refusal_budget)
        return 0;
    struct rf_refused first = {
        .packets = 1, .bytes = bytes, .first = now, .last = now, .generation = generation};
    // Before it is there: whoever takes it away subtracts it.
    __u64 before = __sync_fetch_and_add(kept, 1);
    if (before >= endpoint->refusal_budget ||
        bpf_map_update_elem(&refused, key, &first, BPF_NOEXIST)) {
        __sync_fetch_and_add(kept, -1);
        // Another processor may have been faster.
        struct rf_refused *known = bpf_map_lookup_elem(&refused, key);
        if (known)
            count_known(known, bytes, now);
        return 0;
    }
    struct rf_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event) {
        __u32 zero = 0;
        __u64 *count = bpf_map_lookup_elem(&lost, &zero);
        if (count)
            ++*count;
        return 0;
    }
    event->time = now;
    event->flow = *key;
    event->bytes = bytes;
    event->zero = 0;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

static __always_inline void refuse(
    const struct rf_endpoint *endpoint, const struct rf_refused_key *key, __u32 reason,
    __u32 bytes, const struct verdict *verdict)
{
    count_refused(endpoint, reason, bytes);
    struct rf_refused *known = bpf_map_lookup_elem(&refused, key);
    if (!known) {
        keep_refused(endpoint, key, bytes, verdict->now, verdict->generation);
        return;
    }
    count_known(known, bytes, verdict->now);
    known->generation = verdict->generation;
}

/// The key of a plain packet's flow if it is refused.
static __always_inline void refused_key(
    struct rf_refused_key *key, const struct rf_flow_key *flow, __u32 reason, int hook,
    __u32 sender)
{
    __u32 endpoint = flow->endpoint;
    if (hook == RF_FROM) {
        set_refused(
            key, endpoint, flow->local_port, flow->remote_port, flow->protocol, hook, reason, 0,
            sender);
        key->source = flow->local;
        key->destination = flow->remote;
    } else {
        set_refused(
            key, endpoint, flow->remote_port, flow->local_port, flow->protocol, hook, reason, 0,
            sender);
        key->source = flow->remote;
        key->destination = flow->local;
    }
}

/// What is known of a plain packet's flow before it is judged.
enum known_refusal {
    /// It was refused under the policy in force, and so was the packet.
    REFUSED_AGAIN = 0,
    /// No refusal of it is kept.
    NEVER_REFUSED = 0x100,
    /// It was refused under another policy, or nobody has looked.
    UNKNOWN_REFUSAL = 0x200,
};

/// Refuses a plain packet.
static __noinline int refuse_plain(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *flow,
    const struct verdict *verdict, __u64 known_hook_sender, __u32 bytes)
{
    struct rf_refused_key key;
    refused_key(&key, flow, verdict->reason, known_hook_sender & 0xff, known_hook_sender >> 32);
    // The look that has found nothing was for this reason.
    if (verdict->reason == RF_REFUSED && known_hook_sender & NEVER_REFUSED) {
        count_refused(endpoint, RF_REFUSED, bytes);
        keep_refused(endpoint, &key, bytes, verdict->now, verdict->generation);
        return DROP;
    }
    refuse(endpoint, &key, verdict->reason, bytes, verdict);
    return DROP;
}

/// Refuses a plain packet that may open a flow if that was refused under the policy in force.
///
/// Gives known_refusal.
static __noinline int refuse_again(
    const struct rf_endpoint *endpoint, const struct rf_flow_key *flow, struct verdict *verdict,
    __u64 hook_sender, __u32 bytes)
{
    struct rf_refused_key key;
    refused_key(&key, flow, RF_REFUSED, hook_sender & 0xff, hook_sender >> 32);
    struct rf_refused *known = bpf_map_lookup_elem(&refused, &key);
    if (!known)
        return NEVER_REFUSED;
    if (known->generation != verdict->generation)
        return UNKNOWN_REFUSAL;
    count_refused(endpoint, RF_REFUSED, bytes);
    count_known(known, bytes, verdict->now);
    return REFUSED_AGAIN;
}

/// Refuses a packet for what it is.
static __noinline int refuse_packet(
    const struct rf_endpoint *endpoint, const struct packet *packet, __u64 reason_hook_sender,
    __u32 bytes, const struct verdict *verdict)
{
    __u32 reason = reason_hook_sender & 0xff;
    struct rf_refused_key key;
    int is_message = packet->kind == KIND_ERROR || packet->kind == KIND_CONTROL;
    set_refused(
        &key, endpoint->number, packet->source_port,
        is_message ? packet->type << 8 | packet->code : packet->destination_port,
        packet->protocol, reason_hook_sender >> 8 & 0xff, reason, packet->kind != KIND_FLOW,
        reason_hook_sender >> 32);
    key.source = packet->source;
    key.destination = packet->destination;
    refuse(endpoint, &key, reason, bytes, verdict);
    return DROP;
}

static __always_inline int has_refused(const struct rf_endpoint *endpoint)
{
    __u64 *kept = usage_of(endpoint->number, RF_USAGE_REFUSED);
    return kept && *kept;
}
