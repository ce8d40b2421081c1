"""Network namespaces from outside: sockets that live in them, and commands that run in them."""

import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
SO_MARK = 36
SO_RCVBUFFORCE = 33
LIBC = ctypes.CDLL(None, use_errno=True)


def within(path, work):
    """What `work` gives on a thread in the namespace at a path; the thread ends with it.

    So this process never leaves its own namespace. Sockets that `work` makes stay in that one.
    """
    result = []

    def enter():
        try:
            with open(path, "rb") as namespace:
                if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns", path)
            result.append((work(), None))
        except OSError as error:
            result.append((None, error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def socket_in(path, family, kind, protocol=0, address=None):
    """A socket of the namespace, bound to an address if one is given."""
    def make():
        new = socket.socket(family, kind, protocol)
        try:
            if family != socket.AF_PACKET:
                new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address:
                new.bind(address)
        except OSError:
            new.close()
            raise
        return new

    return within(path, make)


def new_namespace():
    """A namespace that nothing but the descriptor holds: it is gone when that is closed."""
    result = []

    def leave():
        if LIBC.unshare(CLONE_NEWNET) == 0:
            result.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    if not result:
        raise OSError("unshare: no new network namespace")
    return result[0]


def command(path, *words, patience=5, text=""):
    """Runs a command in the namespace; one that doesn't end in time is ended, by its id.

    Gives the exit status (None if it had to be ended) and what it said.
    """
    process = subprocess.Popen(
        ["nsenter", f"--net={path}", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        said, _ = process.communicate(text, timeout=patience)
        return process.returncode, said
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        return None, said
    except BaseException:
        process.kill()
        process.wait()
        raise


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET
