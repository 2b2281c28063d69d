"""What every command that goes on until it is stopped needs: a socket to listen on, and to know when to
stop.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from flamewire_ledger.cli.faults import SERVICE_MISSING, CommandError


@contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A socket, bound and listening; a clear error when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CommandError(_cannot_listen(host, port, error), SERVICE_MISSING) from None
    with listener:
        yield listener


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: stop what listens there, or choose another with --port."
    return f"Cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port."


def listener_url(host: str, listener: socket.socket) -> str:
    """Where the listener answers; its port may have been chosen by the system."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_signal() -> asyncio.Event:
    """Set by Ctrl-C and by SIGTERM, from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
