#define _GNU_SOURCE
#include "CLinux.h"

#include <link.h>
#include <linux/nsfs.h>
#include <malloc.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static int forget_segments(struct dl_phdr_info *object, size_t size, void *data) {
    (void)size;
    (void)data;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        const uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        // The dynamic linker maps whole pages, and what is writable starts on another one.
        const uintptr_t first = start & ~(page - 1);
        const uintptr_t end = (start + segment->p_filesz + page - 1) & ~(page - 1);
        madvise((void *)first, end - first, MADV_DONTNEED);
    }
    return 0;
}

void linux_forget_program(void) { dl_iterate_phdr(forget_segments, NULL); }
