// Later fragments, which have no ports.
#pragma once

#include "judge.h"

/// The fate of later fragments is the first one's.
__noinline int check_fragment(
    struct verdict *verdict, const struct packet *packet, __u32 endpoint, __u32 hook)
{
    if (!verdict || !packet)
        return 0;
    struct rf_fragment_key key = {
        .endpoint = endpoint,
        .identification = packet->identification,
        .source = packet->source,
        .destination = packet->destination,
        // The protocol that a later fragment of IPv6 names may be another: RFC 8200, 4.5.
        .protocol = packet->is_v6 ? 0 : packet->protocol,
        .hook = hook,
    };
    __u64 now = verdict->now;
    if (packet->kind != KIND_FRAGMENT) {
        struct rf_fragment first = {
            .seen = now,
            .rule = rule_of(endpoint, verdict->mark),
            .slot = verdict->slot,
            .reason = verdict->reason,
        };
        bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
        return 0;
    }
    verdict->reason = RF_FRAGMENT;
    struct rf_fragment *first = bpf_map_lookup_elem(&fragments, &key);
    // One that starts at the eighth byte could rewrite the flags of TCP: RFC 3128. Whoever puts
    // fragments together waits 60 s at most: RFC 8200, 4.5.
    if (!first || first->reason != RF_ADMITTED || is_idle(now, first->seen, 60 * SECOND) ||
        packet->fragment_offset == 1)
        return 0;
    if (!is_live(first->rule, first->slot)) {
        verdict->reason = RF_REVOKED;
        return 0;
    }
    verdict->slot = first->slot;
    verdict->reason = RF_ADMITTED;
    return 0;
}
