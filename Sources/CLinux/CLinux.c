#define _GNU_SOURCE
#include "CLinux.h"

#include <linux/nsfs.h>
#include <malloc.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int linux_setns(int fd, int nstype) { return setns(fd, nstype); }

int linux_unshare(int flags) { return unshare(flags); }

int linux_gettid(void) { return (int)syscall(SYS_gettid); }

int linux_pidfd_open(int pid, unsigned int flags) {
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

int linux_accept4(int fd, int flags) { return accept4(fd, 0, 0, flags); }

int linux_namespace_type(int fd) { return ioctl(fd, NS_GET_NSTYPE); }

int linux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int linux_malloc_trim(void) { return malloc_trim(0); }
