// The parts of libnftnl and libmnl that Nftables speaks to the kernel with.
//
// linux/netfilter.h stays out: it pulls in linux/in.h, whose types collide with those of Glibc.
#ifndef RINGFENCE_CNETFILTER_H
#define RINGFENCE_CNETFILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>

#endif
