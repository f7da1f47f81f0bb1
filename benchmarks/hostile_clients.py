"""``python -m benchmarks.hostile_clients URL TOKEN``: clients that block a server which gives each a thread.

500 send half of a body, 50 read nothing and 8 request large pages again and again. It is a separate process, so that
its threads do not delay the measured client. It prints "ready" when all connections are open and ends when its input
ends. Half-sent bodies that the server ends are opened again.
"""

import select
import socket
import sys
import threading
from urllib.parse import urlsplit

HALF_SENT, READERS, FLOOD = 500, 50, 8
PAGE = "/api/v1/notes/?page_size=50"


class Client:
    def __init__(self, url: str, token: str) -> None:
        self.parts = urlsplit(url)
        self.page = f"GET {PAGE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"

    def connect(self, request: str, *, receive_buffer: int = 0) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(60)
        connection.connect((self.parts.hostname, self.parts.port))
        connection.sendall(request.encode())
        return connection

    def half_sent(self) -> socket.socket:
        lines = ("POST /api/v1/auth/login/ HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json")
        return self.connect("\r\n".join([*lines, "Content-Length: 400", "", "{"]))

    def flood(self) -> None:
        while True:
            with self.connect(f"{self.page}Connection: close\r\n\r\n") as connection:
                while connection.recv(1 << 18):
                    pass


def main(url: str, token: str) -> None:
    client = Client(url, token)
    readers = [client.connect(f"{client.page}\r\n", receive_buffer=4096) for _ in range(READERS)]
    half_sent = [client.half_sent() for _ in range(HALF_SENT)]
    for _ in range(FLOOD):
        threading.Thread(target=client.flood, daemon=True).start()
    print("ready", flush=True)
    while True:
        ended, _, _ = select.select([sys.stdin, *half_sent], [], [])
        if sys.stdin in ended:
            break
        for connection in ended:
            connection.close()
            half_sent[half_sent.index(connection)] = client.half_sent()
    for connection in (*readers, *half_sent):
        connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
