"""Servers that answer as they are told, and a door before one that can be shut."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator


def free_port() -> int:
    """Returns a port of this machine on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """Yields the port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def answering(status: int, body: str = "") -> Iterator[int]:
    """Yields the port of a web server that answers everything alike."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class Door:
    """A port that leads to another one: open, shut (refuses), or stuck (answers nothing).

    Shutting or sticking it cuts the connections that are open.
    """

    def __init__(self, leads_to: int) -> None:
        self.port = free_port()
        self._leads_to = leads_to
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._is_stuck = False
        self.open()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._is_stuck = False
        if self._server is None:
            self._server = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._take, args=(self._server,), daemon=True).start()

    def stick(self) -> None:
        self._is_stuck = True
        self._cut()

    def shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            # Else the thread that waits in accept() keeps the port open.
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        self._cut()

    def _cut(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _take(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = server.accept()
                self._ends.append(inside)
                if self._is_stuck:
                    continue
                outside = socket.create_connection(("127.0.0.1", self._leads_to))
                self._ends.append(outside)
                for one, other in ((inside, outside), (outside, inside)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
