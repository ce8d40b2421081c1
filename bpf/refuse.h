// Refused packets: every one is counted, every flow of them is kept as long as there is room.
#pragma once

#include "maps.h"
#include "packet.h"

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

__noinline int refuse(
    struct __sk_buff *skb, const struct rf_endpoint *endpoint, const struct packet *packet,
    __u64 reason_hook_sender)
{
    if (!endpoint || !packet)
        return 0;
    __u32 reason = reason_hook_sender & 0xff;
    __u32 hook = reason_hook_sender >> 8 & 0xff;
    __u32 bytes = skb->len > ETH_HLEN ? skb->len - ETH_HLEN : 0;
    count_refused(endpoint, reason, bytes);
    struct rf_refused_key key = {
        .endpoint = endpoint->number,
        .source_port = packet->source_port,
        .destination_port = packet->destination_port,
        .protocol = packet->protocol,
        .hook = hook,
        .reason = reason,
        .is_portless = packet->kind != KIND_FLOW,
        .sender = reason_hook_sender >> 32,
        .source = packet->source,
        .destination = packet->destination,
    };
    if (packet->kind == KIND_ERROR || packet->kind == KIND_CONTROL)
        key.destination_port = packet->type << 8 | packet->code;
    __u64 now = bpf_ktime_get_coarse_ns();
    struct rf_refused *known = bpf_map_lookup_elem(&refused, &key);
    if (known) {
        __sync_fetch_and_add(&known->packets, 1);
        __sync_fetch_and_add(&known->bytes, bytes);
        known->last = now;
        return 0;
    }
    struct rf_usage_key usage_key = {.endpoint = endpoint->number, .initiator = RF_UNKNOWN};
    __u64 *kept = bpf_map_lookup_elem(&usage, &usage_key);
    if (!kept) {
        __u64 zero = 0;
        bpf_map_update_elem(&usage, &usage_key, &zero, BPF_NOEXIST);
        kept = bpf_map_lookup_elem(&usage, &usage_key);
    }
    if (!kept || *kept >= endpoint->refusal_budget)
        return 0;
    struct rf_refused first = {.packets = 1, .bytes = bytes, .first = now, .last = now};
    if (bpf_map_update_elem(&refused, &key, &first, BPF_NOEXIST))
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
    event->flow = key;
    event->bytes = bytes;
    bpf_ringbuf_submit(event, 0);
    return 0;
}
