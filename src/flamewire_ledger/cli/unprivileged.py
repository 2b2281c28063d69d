"""Running a program that refuses root: this file holds the choice of account and the way into it.

Postgres will not run as root, and its initdb wants an account that has a name. The first choice is
a user namespace, in which the program believes that it runs under a named ordinary account while
its files stay ours: nothing changes hands, and a data directory under a home that only root may
open still works. Where the kernel refuses namespaces (most containers), the program changes to a
system account, and then that account must be able to reach both the program and its data.

Linux sends the parent-death signal when the *thread* that started the child ends, not the process:
start servers from a thread that lives as long as they should.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ACCOUNTS = ("postgres", "daemon", "nobody")

# Looked up before any fork: between fork and exec a child may not load libraries.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Account:
    """How a child is started: as `user`, or as ourselves but called `user` in a namespace."""

    user: pwd.struct_passwd | None
    in_namespace: bool

    @property
    def changes_owner(self) -> bool:
        """Whether the program runs under another uid, so that its files must belong to that uid."""
        return self.user is not None and not self.in_namespace

    @property
    def uid(self) -> int | None:
        """For subprocess.Popen(user=…); None leaves it."""
        return self.user.pw_uid if self.user is not None and self.changes_owner else None

    @property
    def gid(self) -> int | None:
        """For subprocess.Popen(group=…); None leaves it."""
        return self.user.pw_gid if self.user is not None and self.changes_owner else None

    @property
    def extra_groups(self) -> list[int] | None:
        """For subprocess.Popen(extra_groups=…): root's groups do not go along."""
        return [] if self.changes_owner else None

    def before_exec(self, parent_death_signal: signal.Signals | None) -> Callable[[], None]:
        """What the child does between fork and exec; None lets the program outlive its parent."""
        uid, gid = os.geteuid(), os.getegid()
        parent = os.getpid()
        user = self.user if self.in_namespace else None

        def enter() -> None:
            if user is not None:
                _enter_namespace(user, uid, gid)
            if parent_death_signal is not None:
                end_with_parent(parent, parent_death_signal)  # a change of account clears it

        return enter

    def give(self, path: Path) -> None:
        """Make `path`, and all below it, belong to whom the program runs as; only root has to."""
        if os.geteuid() != 0:
            return
        uid, gid = self.uid or 0, self.gid or 0
        if path.stat().st_uid == uid:
            return
        for folder, _, files in os.walk(path, topdown=False):  # the top last: it is what is tested
            for name in files:
                os.chown(Path(folder, name), uid, gid, follow_symlinks=False)
            os.chown(folder, uid, gid, follow_symlinks=False)
        os.chown(path, uid, gid)

    def can_reach(self, path: Path) -> bool:
        """Whether the account may pass through every folder that leads to `path`."""
        if self.user is None or self.in_namespace:
            return True
        return all(_may_pass(folder, self.user) for folder in path.resolve().parents)


def end_with_parent(parent: int, death_signal: signal.Signals = signal.SIGKILL) -> None:
    """Send this process the signal when the thread that forked it ends; only Linux can."""
    if sys.platform != "linux":
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent:
        os._exit(1)  # the parent died before it was watched


def choose_account() -> Account:
    """The account for a program that refuses root and wants a name in the user database.

    An ordinary user with a name starts programs as itself. `user` is None then.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return Account(user=None, in_namespace=False)
    named = next((user for name in _ACCOUNTS if (user := _lookup(name)) is not None), None)
    if named is None:
        return Account(user=None, in_namespace=False)  # the program will say what it misses
    if namespaces_work(named):
        return Account(user=named, in_namespace=True)
    return Account(user=named if os.geteuid() == 0 else None, in_namespace=False)


def namespaces_work(user: pwd.struct_passwd) -> bool:
    """Try it in a child: whether this kernel lets us make a user namespace."""
    if sys.platform != "linux":
        return False
    enter = Account(user=user, in_namespace=True).before_exec(parent_death_signal=None)
    try:
        subprocess.run(["true"], preexec_fn=enter, check=True, timeout=10)  # noqa: S607
    except (subprocess.SubprocessError, OSError):
        return False
    return True


def _enter_namespace(user: pwd.struct_passwd, uid: int, gid: int) -> None:
    """In a fresh namespace, show the uid and gid as those of `user` (user_namespaces(7))."""
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for name, text in (
        ("setgroups", "deny"),  # the kernel's condition for writing gid_map without privilege
        ("uid_map", f"{user.pw_uid} {uid} 1"),
        ("gid_map", f"{user.pw_gid} {gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def _may_pass(folder: Path, user: pwd.struct_passwd) -> bool:
    entry = folder.stat()
    if entry.st_uid == user.pw_uid:
        return bool(entry.st_mode & 0o100)
    if entry.st_gid == user.pw_gid:
        return bool(entry.st_mode & 0o010)
    return bool(entry.st_mode & 0o001)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _lookup(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
