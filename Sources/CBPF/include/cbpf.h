// libbpf as Swift can call it.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdint.h>

#include "ringfence_abi.h"

/// Hook of a TCX link: linux/bpf.h of Linux 6.6, enum bpf_attach_type.
static const int cbpf_TCX_INGRESS = 46;
static const int cbpf_TCX_EGRESS = 47;

/// What a bpf() query of a hook needs and gives: linux/bpf.h of Linux 6.6, union bpf_attr, query.
struct cbpf_query {
    uint32_t count;
    uint32_t programs[64];
    uint32_t links[64];
};

/// BPF_PROG_QUERY of an interface of the calling thread's network namespace: 0 or -errno.
int cbpf_query_hook(int interface, int hook, struct cbpf_query *answer);

/// Attaches a program to the clsact hook of an interface, which is made where it is missing, or puts
/// it in the place of the one that is there: 0 or -errno. In the namespace of the calling thread, as
/// are the next two.
int cbpf_tc_attach(int interface, int is_ingress, int program);

/// The id of the program that cbpf_tc_attach has attached, 0 if there is none, or -errno.
int64_t cbpf_tc_program(int interface, int is_ingress);

/// Takes the program away that cbpf_tc_attach has attached: 0 or -errno.
int cbpf_tc_detach(int interface, int is_ingress);

/// Makes libbpf say nothing on standard error and keep what it would have said.
void cbpf_capture_messages(void);

/// What libbpf said since the last call, at most 64 KiB; valid until the next call of this thread.
const char *cbpf_take_messages(void);

/// bpf_prog_test_run_opts for a packet, with the context's interface and mark: 0 or -errno.
struct cbpf_test_run {
    uint32_t interface;
    uint32_t mark;
    uint32_t repeat;
    int32_t verdict;
    uint32_t nanoseconds;
};
int cbpf_run_test(int program, const void *packet, uint32_t length, struct cbpf_test_run *run);

/// Four tags of the table of flows, as the programs have them at this moment.
uint64_t cbpf_tags(const uint64_t *word);

/// Changes one of them, whatever the programs do with the others meanwhile.
void cbpf_change_tag(uint64_t *word, int lane, uint64_t from, uint64_t to);

/// What the programs have counted up to this moment.
uint64_t cbpf_count(const uint64_t *count);

/// Adds to what the programs count, whatever they add meanwhile.
void cbpf_add(uint64_t *count, int64_t change);

/// What this processor has written is there before what it writes next.
void cbpf_order(void);

/// Waits until every program has ended that runs now, as membarrier(2) can tell: 0 or -errno.
int cbpf_wait_for_programs(void);

/// statfs(2): whether a path lies in a BPF file system.
int cbpf_is_bpffs(const char *path);
