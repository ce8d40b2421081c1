#include "cbpf.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static __thread char messages[1 << 16];
static __thread size_t length;
static __thread char taken[1 << 16];

static int keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
    if (level == LIBBPF_DEBUG || length >= sizeof(messages))
        return 0;
    int count = vsnprintf(messages + length, sizeof(messages) - length, format, arguments);
    if (count > 0)
        length += count;
    if (length > sizeof(messages) - 1)
        length = sizeof(messages) - 1;
    return 0;
}

void cbpf_capture_messages(void)
{
    libbpf_set_print(keep);
    length = 0;
    messages[0] = 0;
}

const char *cbpf_take_messages(void)
{
    memcpy(taken, messages, sizeof(taken));
    length = 0;
    messages[0] = 0;
    return taken;
}

// The layout that the 6.1 header doesn't know yet.
struct query_attribute {
    uint32_t target_ifindex;
    uint32_t attach_type;
    uint32_t query_flags;
    uint32_t attach_flags;
    uint64_t prog_ids;
    uint32_t prog_cnt;
    uint32_t zero;
    uint64_t prog_attach_flags;
    uint64_t link_ids;
    uint64_t link_attach_flags;
    uint64_t revision;
};

int cbpf_query_hook(int interface, int hook, struct cbpf_query *answer)
{
    struct query_attribute attribute;
    memset(&attribute, 0, sizeof(attribute));
    memset(answer, 0, sizeof(*answer));
    attribute.target_ifindex = interface;
    attribute.attach_type = hook;
    attribute.prog_ids = (uintptr_t)answer->programs;
    attribute.link_ids = (uintptr_t)answer->links;
    attribute.prog_cnt = 64;
    if (syscall(SYS_bpf, BPF_PROG_QUERY, &attribute, sizeof(attribute)))
        return -errno;
    answer->count = attribute.prog_cnt;
    return 0;
}

// Before the filters of others, in a place that nobody else is likely to take.
enum { PRIORITY = 1, HANDLE = 0x5246 };

int cbpf_tc_attach(int interface, int is_ingress, int program)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface,
                .attach_point = is_ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = HANDLE, .priority = PRIORITY,
                .prog_fd = program, .flags = BPF_TC_F_REPLACE);
    int error = bpf_tc_hook_create(&hook);
    if (error && error != -EEXIST)
        return error;
    return bpf_tc_attach(&hook, &options);
}

int64_t cbpf_tc_program(int interface, int is_ingress)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface,
                .attach_point = is_ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = HANDLE, .priority = PRIORITY);
    int error = bpf_tc_query(&hook, &options);
    // Without the hook the kernel says EINVAL, without the filter ENOENT.
    if (error == -ENOENT || error == -EINVAL)
        return 0;
    return error ? error : options.prog_id;
}

int cbpf_tc_detach(int interface, int is_ingress)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface,
                .attach_point = is_ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = HANDLE, .priority = PRIORITY);
    return bpf_tc_detach(&hook, &options);
}

int cbpf_run_test(int program, const void *packet, uint32_t size, struct cbpf_test_run *run)
{
    struct __sk_buff before, after;
    unsigned char out[4096];
    memset(&before, 0, sizeof(before));
    memset(&after, 0, sizeof(after));
    before.mark = run->mark;
    before.ifindex = run->interface;
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = size,
                .data_out = out, .data_size_out = sizeof(out), .ctx_in = &before,
                .ctx_size_in = sizeof(before), .ctx_out = &after,
                .ctx_size_out = sizeof(after), .repeat = run->repeat);
    int error = bpf_prog_test_run_opts(program, &options);
    if (error)
        return error;
    run->verdict = options.retval;
    run->nanoseconds = options.duration;
    run->mark = after.mark;
    return 0;
}

uint64_t cbpf_tags(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void cbpf_change_tag(uint64_t *word, int lane, uint64_t from, uint64_t to)
{
    // The agent alone changes a tag that is neither 0 nor RF_TAKEN.
    __atomic_fetch_xor(word, (from ^ to) << lane * RF_TAG_BITS, __ATOMIC_SEQ_CST);
}

uint64_t cbpf_count(const uint64_t *count)
{
    return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

void cbpf_add(uint64_t *count, int64_t change)
{
    __atomic_fetch_add(count, change, __ATOMIC_SEQ_CST);
}

void cbpf_order(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int cbpf_wait_for_programs(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}

int cbpf_is_bpffs(const char *path)
{
    struct statfs status;
    // linux/magic.h, BPF_FS_MAGIC.
    return statfs(path, &status) == 0 && (uint32_t)status.f_type == 0xcafe4a11;
}
