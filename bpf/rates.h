// How many control messages an endpoint may send: the generic cell rate algorithm (ITU-T I.371).
#pragma once

#include "judge.h"

/// Whether a message that costs `cost` ns is within the rate; if so, the cost is charged.
static __noinline int is_within_rate(__u32 number, __u32 kind, __u64 now, __u64 cost, __u64 burst)
{
    __u64 *until = usage_of(number, kind);
    if (!until)
        return 0;
    for (int count = 0; count < 4; count++) {
        __u64 before = *(volatile __u64 *)until;
        __u64 start = (__s64)(before - now) > 0 ? before : now;
        if (start + cost - now > burst)
            return 0;
        if (__sync_val_compare_and_swap(until, before, start + cost) == before)
            return 1;
    }
    return 0;
}

/// Credits an endpoint with the answer to a request, so that requests don't use up its rate.
static __noinline int allow_answer(__u32 number, __u64 now)
{
    __u64 *until = usage_of(number, RF_USAGE_CONTROL);
    if (!until)
        return 0;
    __u64 before = *(volatile __u64 *)until;
    __u64 start = (__s64)(before - now) > 0 ? before : now;
    // If another processor writes at the same time, one answer is charged after all.
    __sync_val_compare_and_swap(until, before, start - RF_CONTROL_INTERVAL);
    return 0;
}

static __always_inline int may_send(const struct rf_endpoint *endpoint, __u64 now)
{
    return is_within_rate(
        endpoint->number, RF_USAGE_CONTROL, now, RF_CONTROL_INTERVAL, RF_CONTROL_BURST);
}
