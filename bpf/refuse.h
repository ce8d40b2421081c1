// Refused packets: every one is counted, every flow of them is kept as long as there is room.
#pragma once

#include "judge.h"

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
    if (bpf_map_update_elem(&refused, key, &first, BPF_NOEXIST))
        return 0;
    __sync_fetch_and_add(kept, 1);
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

static __always_inline void count_known(struct rf_refused *known, __u32 bytes, __u64 now)
{
    __sync_fetch_and_add(&known->packets, 1);
    __sync_fetch_and_add(&known->bytes, bytes);
    known->last = now;
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
