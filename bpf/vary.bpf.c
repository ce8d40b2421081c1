// What a first packet costs: makes each run of a program on one packet see a flow of its own.
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} next SEC(".maps");

/// Counts the source port of TCP or UDP over IPv4 without options up, then goes on to the program.
///
/// The lower half of the mark says which of the destination address's last bits count with it.
SEC("tc")
int vary(struct __sk_buff *skb)
{
    __u8 *data = (__u8 *)(long)skb->data;
    if (data + ETH_HLEN + 22 > (__u8 *)(long)skb->data_end)
        return 2;
    __be16 *port = (__be16 *)(data + ETH_HLEN + 20);
    __be16 *address = (__be16 *)(data + ETH_HLEN + 18);
    __u16 count = bpf_ntohs(*port) + 1, counting = skb->mark;
    *port = bpf_htons(count);
    *address = bpf_htons((bpf_ntohs(*address) & ~counting) | (count & counting));
    bpf_tail_call(skb, &next, 0);
    return 2;
}

/// What the way there costs by itself.
SEC("tc")
int nothing(struct __sk_buff *skb)
{
    return -1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
