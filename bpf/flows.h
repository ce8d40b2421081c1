// The table of flows: a hash table of our own, because the kernel's takes most of a packet's time.
#pragma once

#include "maps.h"

// One bit for each tag of a word, and all of a tag's bits below its highest.
#define LOW_BITS 0x0001000100010001ULL
#define HIGH_BITS 0x8000800080008000ULL

/// The lowest zero among four tags has its highest bit set, and none below it has; above it others
/// may have as well.
static __always_inline __u64 zero_tags(__u64 word)
{
    return (word - LOW_BITS) & ~word & HIGH_BITS;
}

static __always_inline int same_flow(const struct rf_flow_key *a, const struct rf_flow_key *b)
{
    const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;
    return left[0] == right[0] && left[1] == right[1] && left[2] == right[2] &&
           left[3] == right[3] && left[4] == right[4];
}

static __always_inline struct rf_tags *tags_of(__u32 hash)
{
    __u32 bucket = rf_bucket(hash, settings.bucket_mask);
    return bpf_map_lookup_elem(&flow_tags, &bucket);
}

/// The place of a bucket that belongs to the lowest of some tags of a word.
static __always_inline struct rf_flow *place_of(__u32 hash, __u32 word, __u64 tags)
{
    __u64 lowest = tags & -tags;
    __u32 lane = (lowest >> 31 & 1) | (lowest >> 47 & 1) << 1 | (lowest >> 63) * 3;
    __u32 index = rf_bucket(hash, settings.bucket_mask) * RF_PLACES +
                  word * RF_TAGS_PER_WORD + lane;
    return bpf_map_lookup_elem(&flows, &index);
}

/// Looks for a flow.
///
/// A place that is given to another flow between the look at its key and the use of what stands
/// there is judged by a rule of the same endpoint or none: the rule's mark is compared with that of
/// a slot which holds the endpoint's number as well. The kernel's own tables do the same.
static __always_inline struct rf_flow *find_flow(const struct rf_flow_key *key, __u32 hash)
{
    struct rf_tags *tags = tags_of(hash);
    if (!tags)
        return 0;
    __u64 wanted = rf_tag(hash) * LOW_BITS;
#pragma unroll
    for (__u32 word = 0; word < RF_TAG_WORDS; word++) {
        __u64 found = zero_tags(tags->words[word] ^ wanted);
        for (int count = 0; count < RF_TAGS_PER_WORD && found; count++) {
            struct rf_flow *flow = place_of(hash, word, found);
            if (flow && same_flow(&flow->key, key))
                return flow;
            found &= found - 1;
        }
    }
    return 0;
}

/// Takes a free place of a bucket for a flow; 0 where there is none.
///
/// Nobody finds it before `publish`.
static __always_inline struct rf_flow *take_place(__u32 hash, __u64 **word_of, __u64 *unit_of)
{
    struct rf_tags *tags = tags_of(hash);
    if (!tags)
        return 0;
    // Once more where another processor was faster.
    for (__u32 count = 0; count < 2 * RF_TAG_WORDS; count++) {
        __u32 word = count % RF_TAG_WORDS;
        __u64 before = tags->words[word];
        __u64 empty = zero_tags(before);
        if (!empty)
            continue;
        __u64 unit = (empty & -empty) >> (RF_TAG_BITS - 1);
        if (__sync_val_compare_and_swap(&tags->words[word], before, before | unit * RF_TAKEN) !=
            before)
            continue;
        *word_of = &tags->words[word];
        *unit_of = unit;
        return place_of(hash, word, empty);
    }
    return 0;
}

/// Gives a place its tag: whoever sees it sees the flow.
static __always_inline int publish(__u32 hash, __u64 *word, __u64 unit)
{
    // An addition that gives back the value from before is a barrier.
    return __sync_fetch_and_add(word, -(unit * (RF_TAKEN - rf_tag(hash)))) != 0;
}
