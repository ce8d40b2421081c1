"""A kernel that says no: stands between a process and its system calls, and refuses the one it is told to.

The process is the real one, under a seccomp filter whose notifications come here: each of the calls that
are watched is counted, and goes on or fails with an error, however many threads make them. The machine
is x86-64 or the 64-bit ARM.
"""

import array
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import select
import struct
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)

# By name: the numbers of asm/unistd.h, of x86-64 and of the 64-bit ARM.
NUMBERS = {
    "sendto": (44, 206), "recvfrom": (45, 207), "socket": (41, 198), "bind": (49, 200),
    "setsockopt": (54, 208), "getsockopt": (55, 209), "getsockname": (51, 204), "ioctl": (16, 29),
    "setns": (308, 268), "openat": (257, 56), "read": (0, 63), "pread64": (17, 67),
    "write": (1, 64), "pwrite64": (18, 68), "fsync": (74, 82), "fdatasync": (75, 83),
    "renameat": (264, 38), "mkdirat": (258, 34), "unlinkat": (263, 35), "getdents64": (217, 61),
    "newfstatat": (262, 79), "fstatfs": (138, 44), "epoll_ctl": (233, 21),
    "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "clone3": (435, 435),
    "poll": (7, None), "open": (2, None), "rename": (82, None), "mkdir": (83, None),
    "unlink": (87, None), "stat": (4, None), "sendmsg": (46, 211), "flock": (73, 32),
}
SECCOMP, PIDFD_OPEN, PIDFD_GETFD = {"x86_64": (317, 434, 438), "aarch64": (277, 434, 438)}[
    platform.machine()]
COLUMN = 0 if platform.machine() == "x86_64" else 1

# linux/seccomp.h and linux/filter.h.
SET_MODE_FILTER, NEW_LISTENER = 1, 8
ASK, ALLOW = 0x7FC00000, 0x7FFF0000
CONTINUE = 1
NOTICE, ANSWER = 80, 24
RECEIVE = (3 << 30) | (NOTICE << 16) | (ord("!") << 8)
SEND = (3 << 30) | (ANSWER << 16) | (ord("!") << 8) | 1
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
INSTRUCTION = struct.Struct("=HBBI")


# Watched for files alone: on an eventfd of the run-time's own, say, they don't fail.
OF_FILES = {"read", "write", "pread64", "pwrite64", "fsync", "fdatasync"}


def is_file(pid, descriptor):
    try:
        path = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        return path.startswith("/") and not path.startswith("/proc/")
    except OSError:
        return False


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def numbers(names):
    """The numbers of those of the calls that the machine has."""
    return {NUMBERS[name][COLUMN]: name for name in names if NUMBERS[name][COLUMN] is not None}


class Refusing:
    """Watches some system calls of one process, and refuses according to `plan`.

    `plan(name, count)` is asked at each watched call while armed, with how many of them came before; it gives an
    errno value, or 0 to let it through.
    """

    def __init__(self, names):
        self.numbers = numbers(names)
        self.program = self.assemble()
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.listener = None
        self.plan = lambda name, count: 0
        self.armed = False
        self.count = 0
        self.refused = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def assemble(self):
        calls = sorted(self.numbers)
        lines = [INSTRUCTION.pack(LOAD, 0, 0, 0)]
        for index, call in enumerate(calls):
            lines.append(INSTRUCTION.pack(EQUALS, len(calls) - index, 0, call))
        lines += [INSTRUCTION.pack(RETURN, 0, 0, ALLOW), INSTRUCTION.pack(RETURN, 0, 0, ASK)]
        return b"".join(lines)

    def enclose(self):
        """Runs in the child, before it becomes the program: from here on its calls are watched."""
        program = Program(len(self.program) // 8, self.program)
        listener = LIBC.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(program))
        if listener < 0:
            raise OSError(ctypes.get_errno(), "seccomp")
        # No call of the child may be needed until somebody answers, so memory is the way.
        self.shared[4:8] = struct.pack("=i", listener)
        self.shared[0:4] = struct.pack("=i", os.getpid())
        while self.shared[8] == 0:
            time.sleep(0.0005)

    def arm(self, plan):
        """Counts from here on."""
        with self.lock:
            self.plan, self.count, self.refused, self.armed = plan, 0, [], True

    @property
    def pid(self):
        """The process's number; 0 until it is there."""
        return struct.unpack("=i", self.shared[0:4])[0]

    def disarm(self):
        """Lets everything through again; gives what was refused."""
        with self.lock:
            self.armed = False
            return self.refused

    def serve(self):
        while self.pid == 0:
            time.sleep(0.0005)
        process = LIBC.syscall(PIDFD_OPEN, self.pid, 0)
        number = struct.unpack("=i", self.shared[4:8])[0]
        self.listener = LIBC.syscall(PIDFD_GETFD, process, number, 0)
        failure = ctypes.get_errno()
        os.close(process)
        self.shared[8:9] = b"\x01"
        if self.listener < 0:
            raise OSError(failure, "pidfd_getfd")
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while True:
            events = poll.poll()
            if events[0][1] & select.POLLIN:
                self.answer()
            elif events[0][1] & (select.POLLHUP | select.POLLERR):
                break
        os.close(self.listener)

    def answer(self):
        notice = bytearray(NOTICE)
        try:
            fcntl.ioctl(self.listener, RECEIVE, notice, True)
        except OSError:
            # The thread was ended meanwhile.
            return
        identity, = struct.unpack_from("=Q", notice)
        call, = struct.unpack_from("=i", notice, 16)
        pid, = struct.unpack_from("=I", notice, 8)
        descriptor, = struct.unpack_from("=i", notice, 32)
        name = self.numbers[call]
        code = 0 if name in OF_FILES and not is_file(pid, descriptor) else self.judge(name)
        reply = array.array("b", struct.pack("=QqiI", identity, 0, -code, 0 if code else CONTINUE))
        try:
            fcntl.ioctl(self.listener, SEND, reply)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINPROGRESS):
                raise

    def judge(self, name):
        with self.lock:
            if not self.armed:
                return 0
            code = self.plan(name, self.count)
            self.count += 1
            if code:
                self.refused.append((name, code))
            return code

    def join(self):
        """Once the process is gone."""
        self.thread.join(5)


def once(number, code, times=1):
    """A plan that refuses one call, or some in a row."""
    return lambda name, count: code if number <= count < number + times else 0
