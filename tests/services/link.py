"""A line between a client and a server that a test can cut: an outage without stopping anything.

The server behind it goes on for everybody else, so tests that run at the same time do not notice.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from urllib.parse import urlsplit, urlunsplit

from tests.services.place import free_port


class Link:
    """Passes bytes from its own port on 127.0.0.1 to `url`'s host and port."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None, "the URL names a host"
        assert parts.port is not None, "the URL names a port"
        self._server = (parts.hostname, parts.port)
        self._port = free_port()
        credentials = parts.netloc.rpartition("@")[0]
        at = f"{credentials}@" if credentials else ""
        self.url = urlunsplit(parts._replace(netloc=f"{at}127.0.0.1:{self._port}"))
        self._listener: socket.socket | None = None
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._mutex = threading.Lock()
        self.restore()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):  # it listens for as long as a thread looks at it
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._mutex:
            pairs = list(self._pairs)
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Accept connections again, on the same port."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port), backlog=64)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    close = cut

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                # accept() in a thread does not notice that another closed the socket: look first.
                readable, _, _ = select.select([listener], [], [], 0.1)
                if not readable:
                    continue
                client, _ = listener.accept()
            except (OSError, ValueError):
                return  # cut
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        pair = (client, server)
        with self._mutex:
            self._pairs.add(pair)
        try:
            while self._listener is not None:  # a line cut while this connection was being made
                readable, _, _ = select.select(pair, [], [])
                for source in readable:
                    data = source.recv(65_536)
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
        except OSError:
            return
        finally:
            with self._mutex:
                self._pairs.discard(pair)
            client.close()
            server.close()
