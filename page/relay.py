"""A port on 127.0.0.1 before the agent's Unix socket that changes what the agent answers."""

import http.client
import json
import re
import socket
import threading


class Relay:
    """Gives `twist` each answer of JSON and each event, and passes on what that makes of it."""

    def __init__(self, path, twist):
        self.path, self.twist = path, twist
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                with socket.socket(socket.AF_UNIX) as agent:
                    agent.connect(self.path)
                    self.answer(client, agent)
            except OSError:
                return

    def answer(self, client, agent):
        """One request and its answer, every string of it another."""
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = client.recv(1 << 16)
            if not chunk:
                return
            head += chunk
        path = head.split(b" ")[1].decode()
        # What it asks for speaks of names that the agent never had.
        asked = re.sub(r"(source|destination)=[^&]*&?", "", path)
        agent.sendall(f"GET {asked} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n".encode())
        if path.startswith("/v1/events"):
            self.pass_events(client, agent)
            return
        answer = http.client.HTTPResponse(agent)
        answer.begin()
        body = answer.read()
        if answer.headers.get_content_type() == "application/json":
            body = json.dumps(self.twist(json.loads(body))).encode()
        lines = [f"{name}: {value}" for name, value in answer.getheaders()
                 if name.lower() not in ("content-length", "transfer-encoding", "connection")]
        lines += [f"Content-Length: {len(body)}", "Connection: close"]
        client.sendall((f"HTTP/1.1 {answer.status} OK\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
        client.sendall(body)

    def pass_events(self, client, agent):
        answer = http.client.HTTPResponse(agent)
        answer.begin()
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                       b"Connection: close\r\n\r\n")
        while line := answer.readline():
            if line.startswith(b"data: "):
                line = b"data: " + json.dumps(self.twist(json.loads(line[6:]))).encode() + b"\n"
            client.sendall(line)

    def close(self):
        self.socket.close()
