// The maps of the host filter. Sizes are set by the agent before it loads the programs.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "ringfence_abi.h"

/// The compiler leaves what is written before it before what is written after.
static __always_inline void keep_order(void)
{
    asm volatile("" : : : "memory");
}

// Entries come and go by the thousand: memory is taken as they come.
#define MAP(NAME, TYPE, FLAGS, KEY, VALUE)   \
    struct {                                 \
        __uint(type, TYPE);                  \
        __uint(map_flags, FLAGS);            \
        __uint(max_entries, 1024);           \
        __type(key, KEY);                    \
        __type(value, VALUE);                \
    } NAME SEC(".maps")

MAP(endpoints, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, __u32, struct rf_endpoint);
// Another number after each change of what packets are judged by: what is known from before is looked
// up again.
MAP(generation, BPF_MAP_TYPE_ARRAY, 0, __u32, __u64);
// What the programs have found at the interfaces that they ran for.
MAP(recent, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u32, struct rf_recent);
// What processors judged last.
MAP(judgements, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u32, struct rf_judgement);
// Since when, in seconds of CLOCK_MONOTONIC.
MAP(own, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_own_key, __u32);
// The number of the only attached endpoint that has the address, or RF_UNKNOWN for several.
MAP(locals, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_address, __u32);
// Addresses of the host namespace: nothing else may speak for them in ARP and discovery.
MAP(host_addresses, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_address, __u32);
// Interfaces of the host that routers may be behind.
MAP(uplinks, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, __u32, __u32);
// A class.
MAP(peers, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_peer_key, __u32);
MAP(networks, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct rf_network_key, __u32);
MAP(shapes, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_shape_key, rf_shape);
MAP(admissions, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_admission_key,
    struct rf_admission);
MAP(rules, BPF_MAP_TYPE_ARRAY, 0, __u32, rf_rule);
MAP(rule_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u32, struct rf_rule_count);
// Buckets, and the places in them: see flows.h. The agent reads them where they are.
MAP(flow_tags, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, __u32, struct rf_tags);
MAP(flows, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, __u32, struct rf_flow);
// The seeds of the programs, for the agent that comes next.
MAP(flow_seeds, BPF_MAP_TYPE_ARRAY, 0, __u32, struct rf_seeds);
// Flows of initiators that have used up their share of the table, or that find their bucket full:
// they compete with each other.
MAP(overflow_flows, BPF_MAP_TYPE_LRU_HASH, 0, struct rf_flow_key, struct rf_flow);
// Not 0 once a flow has gone there: until then nobody has to look.
MAP(overflow_used, BPF_MAP_TYPE_ARRAY, 0, __u32, __u32);
// At the endpoint's number times RF_USAGES plus what is counted.
MAP(usage, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, __u32, __u64);
MAP(fragments, BPF_MAP_TYPE_LRU_HASH, 0, struct rf_fragment_key, struct rf_fragment);
MAP(refused, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct rf_refused_key, struct rf_refused);
// At the endpoint's number times RF_REASONS plus the reason.
MAP(totals, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u32, struct rf_count);
// Events that found the ring full.
MAP(lost, BPF_MAP_TYPE_PERCPU_ARRAY, 0, __u32, __u64);

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

// Where the number of the sending endpoint stands in the packet's mark. In a section of its own, so
// that the agent knows its layout.
const volatile struct rf_settings settings SEC(".rodata.settings") = {
    .identity_mask = 0xffff0000,
    .identity_shift = 16,
};
