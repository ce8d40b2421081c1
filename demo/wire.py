"""Sockets inside network namespaces, and the traffic that the demo sends."""

import ctypes
import select
import socket
import threading
import time

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def socket_in(path, kind=socket.SOCK_STREAM, port=0):
    """A socket in the namespace mounted at a path; it stays there, whoever uses it.

    The thread that enters the namespace ends with it, so this process never leaves its own.
    """
    made = []

    def work():
        try:
            with open(path, "rb") as namespace:
                if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns", path)
            new = socket.socket(socket.AF_INET, kind)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            new.bind(("0.0.0.0", port))
            made.append(new)
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Listener:
    """Greets whoever comes, and notes when each connection's last byte came."""

    def __init__(self, path, port):
        self.socket = socket_in(path, port=port)
        self.socket.listen()
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            connection.send(b"ringfence demo\n")
            received = Received(connection, peer)
            self.connections.append(received)
            threading.Thread(target=received.read, daemon=True).start()

    def connection(self, client):
        """What this end received from one client's socket."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for received in list(self.connections):
                if received.peer[1] == client.getsockname()[1]:
                    return received
            time.sleep(0.001)
        raise TimeoutError("the connection was not accepted")


class Received:
    """The receiving end of one connection."""

    def __init__(self, connection, peer):
        self.connection = connection
        self.peer = peer
        self.bytes = 0
        self.last = time.monotonic()
        self.longest_gap = 0.0

    def read(self):
        while True:
            try:
                chunk = self.connection.recv(1 << 16)
            except OSError:
                return
            if not chunk:
                return
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - self.last)
            self.last = now
            self.bytes += len(chunk)


class Transfer:
    """An established connection that sends without a pause until it is told to stop."""

    def __init__(self, path, address, listener):
        self.socket = socket_in(path)
        self.socket.settimeout(2)
        self.socket.connect(address)
        self.received = listener.connection(self.socket)
        self.socket.settimeout(0.2)
        self.running = True
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        chunk = bytes(1 << 12)
        while self.running:
            try:
                self.socket.send(chunk)
            except TimeoutError:
                continue
            except OSError:
                return
            time.sleep(0.0005)

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()


def connects(path, address, patience=0.4):
    """Whether a connection is established in time."""
    with socket_in(path) as client:
        client.settimeout(patience)
        try:
            client.connect(address)
            return True
        except OSError:
            return False


class Knocking:
    """Tries to connect, again and again from one port, until it succeeds or is told to stop."""

    def __init__(self, path, address, port):
        self.path, self.address, self.port = path, address, port
        self.opened = None
        self.tries = 0
        self.running = True
        self.thread = threading.Thread(target=self.knock, daemon=True)
        self.thread.start()

    def knock(self):
        while self.running and self.opened is None:
            client = socket_in(self.path, port=self.port)
            client.setblocking(False)
            self.tries += 1
            client.connect_ex(self.address)
            _, ready, _ = select.select([], [client], [], 0.001)
            if ready and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                self.opened = time.monotonic()
            client.close()

    def stop(self):
        self.running = False
        self.thread.join()
