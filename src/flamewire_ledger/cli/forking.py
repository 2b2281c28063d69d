"""The forking process: it imports everything, and then does nothing but fork, whenever it is asked.

A fork copies one thread and every lock as it stands, so only a process without threads, event loop
and connections may fork safely at any time. The one that looks after the others has all of them
(Postgres hangs on a thread of it); this one never has any, and what it imported is in memory once
for all it forks. See docs/decisions/0013-processes.md.

Whatever kills the process that began all this ends the rest at once, without a goodbye: Linux sends
each a SIGKILL when its parent dies, and every other system at least closes the lines they wait on.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeAlias

from flamewire_ledger.cli.unprivileged import end_with_parent

_ORDER_BYTES_MAX: Final = 64 * 1024
_CLOSE: Final = b"close"
_DONE: Final = b"done"
FAULT: Final = 70  # the exit code of what nobody expected

# What a forked process does: with its order and its end of the line. Its result is its exit code.
Begin: TypeAlias = Callable[[dict[str, Any], socket.socket], int]


class ForkerLost(Exception):
    """The forking process is gone, and all that it had forked with it."""


class Forker:
    """The forking process, as the one that began it sees it."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control
        self._is_over = False

    def fork(self, order: dict[str, Any]) -> tuple[int, socket.socket]:
        """Begin another process; its pid, and our end of the line to it. Takes milliseconds."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], [theirs.fileno()])
            answer = self._control.recv(64)
        except OSError:
            answer = b""
        finally:
            theirs.close()
        if not answer:
            ours.close()
            raise ForkerLost
        return int(answer), ours

    def close_listener(self) -> None:
        """Let go of the listening socket, so that the port is closed when its users close it."""
        try:
            self._control.send(_CLOSE)
            self._control.recv(64)
        except OSError:
            return  # it is gone, and the socket with it

    def end(self) -> None:
        """End it, and whatever of its children is still there. Safe to repeat."""
        if not self._is_over:
            self._is_over = True
            self._control.close()
            os.waitpid(self.pid, 0)


@contextmanager
def forker(prepare: Callable[[], None], begin: Begin, listener: socket.socket) -> Iterator[Forker]:
    """A forking process, forked off this one, which has no thread but this one yet.

    There, `prepare` imports what its children need; `begin` is what they do.
    """
    forking = _start(prepare, begin, listener)
    try:
        yield forking
    finally:
        forking.end()


def _start(prepare: Callable[[], None], begin: Begin, listener: socket.socket) -> Forker:
    assert threading.active_count() == 1, "a fork with threads may stop for ever in their locks"
    control, theirs = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        control.close()
        _exit_with(lambda: _serve(prepare, begin, theirs, listener, parent))
    theirs.close()
    return Forker(pid, control)


def _serve(
    prepare: Callable[[], None],
    begin: Begin,
    control: socket.socket,
    listener: socket.socket,
    parent: int,
) -> int:
    """Fork whenever the parent asks, until it is gone."""
    end_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent stops all of them, in order
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead here
    prepare()
    gc.freeze()  # pages that the collector does not touch stay shared
    me = os.getpid()
    while True:
        said, lines, _, _ = socket.recv_fds(control, _ORDER_BYTES_MAX, 1)
        if not said:
            return 0
        if said == _CLOSE:
            listener.close()
            control.send(_DONE)
            continue
        line = socket.socket(fileno=lines[0])
        if (pid := os.fork()) == 0:
            control.close()
            end_with_parent(me)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return begin(json.loads(said), line)
        line.close()
        control.send(str(pid).encode())


def _exit_with(run: Callable[[], int]) -> NoReturn:
    """Leave without the parent's own endings, which are the parent's."""
    code = FAULT
    try:
        code = run()
    except BaseException:  # noqa: BLE001 - the edge of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
