"""A stand-in for systemd's side: it hears what the agent says of itself, keeps the descriptors that
the agent leaves with it, and hands them to the next agent."""

import array
import os
import socket
import subprocess
import threading

FIRST = 3
ROOM = 64


def reserve_descriptors(room=ROOM):
    """Takes the low descriptors, so that nothing of this process has the numbers of handed ones."""
    null = os.open("/dev/null", os.O_RDONLY)
    for number in range(FIRST, FIRST + room):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(null, number, inheritable=False)


class Manager:
    def __init__(self, place, room=ROOM):
        self.room = room
        self.path = os.path.join(place, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.lock = threading.Lock()
        self.kept = {}
        self.ready = threading.Event()
        self.said = []
        self.signs = 0
        self.is_open = True
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while self.is_open:
            try:
                data, control, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4))
            except OSError:
                return
            descriptors = array.array("i")
            for level, kind, payload in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(payload)
            self.hear(dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line),
                      list(descriptors))

    def hear(self, words, descriptors):
        name = words.get("FDNAME", "stored")
        with self.lock:
            self.said.append(words)
            if words.get("FDSTORE") == "1":
                for descriptor in descriptors:
                    self.drop(name)
                    self.kept[name] = descriptor
                descriptors = []
            if words.get("FDSTOREREMOVE") == "1":
                self.drop(name)
            self.signs += words.get("WATCHDOG") == "1"
        for descriptor in descriptors:
            os.close(descriptor)
        if words.get("READY") == "1":
            self.ready.set()

    def drop(self, name):
        descriptor = self.kept.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def heard(self, key):
        with self.lock:
            return [words[key] for words in self.said if key in words]

    def rename(self, change):
        """Gives what is kept other names, as another release would have."""
        with self.lock:
            self.kept = {change(name): descriptor for name, descriptor in self.kept.items()}

    def names(self):
        with self.lock:
            return sorted(self.kept)

    def start(self, command, watchdog=None, before=None, **options):
        """Starts the agent as systemd would, with the descriptors that are kept; `before` is called
        in the process that becomes the agent."""
        self.ready.clear()
        with self.lock:
            kept = list(self.kept.items())

        def hand_over():
            os.environ["NOTIFY_SOCKET"] = self.path
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ["LISTEN_FDS"] = str(len(kept))
            os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in kept)
            if watchdog:
                os.environ["WATCHDOG_USEC"] = str(watchdog)
            for index, (_, descriptor) in enumerate(kept):
                os.dup2(descriptor, FIRST + index, inheritable=True)
            if before:
                before()

        if len(kept) > self.room:
            raise ValueError("more descriptors are kept than there is room for")
        # Whatever else this process has open is closed by the kernel: Python opens it so.
        return subprocess.Popen(
            command, preexec_fn=hand_over, close_fds=False, start_new_session=True, **options)

    def close(self):
        """Lets go of everything, as systemd does when a service is stopped."""
        self.is_open = False
        self.socket.close()
        with self.lock:
            for name in list(self.kept):
                self.drop(name)
