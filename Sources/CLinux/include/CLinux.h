// What the Swift Glibc module lacks: a few system calls, and the kernel's own headers for them.
// Every function here is one system call, with its result and errno untouched.
#pragma once

#include <linux/if_link.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>

/// setns(2)
int linux_setns(int fd, int nstype);

/// unshare(2)
int linux_unshare(int flags);

/// gettid(2)
int linux_gettid(void);

/// pidfd_open(2)
int linux_pidfd_open(int pid, unsigned int flags);

/// accept4(2) that asks for no address.
int linux_accept4(int fd, int flags);

/// ioctl(2) with NS_GET_NSTYPE: the CLONE_NEW* value of an nsfs descriptor.
int linux_namespace_type(int fd);

/// prctl(2) with PR_SET_NO_NEW_PRIVS.
int linux_no_new_privileges(void);

/// malloc_trim(3)
int linux_malloc_trim(void);

/// madvise(2) with MADV_DONTNEED for what dl_iterate_phdr(3) names of the program and its libraries that is
/// never written to: segments of type PT_LOAD without PF_W (elf(5)).
void linux_forget_program(void);

static const int linux_CLONE_NEWNET = 0x40000000;
static const long linux_NSFS_MAGIC = 0x6e736673;
static const int linux_O_PATH = 010000000;
