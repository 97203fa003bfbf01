"""A program that runs one foreign command in a sandbox and ends everything the command started.

    python -I -S warden.py STATUS_FD < one line of JSON: tournament.teams.sandbox.Order

It imports the standard library alone: it is a file that runs by itself. Its stdin is a lifeline. When the referee
closes it, or dies, the command and all its descendants are killed. STATUS_FD takes one line of JSON: how it ended.

With namespaces the command sees the whole machine read-only, without the network, other processes, and the contents of
``hidden``; ``kept`` is still to be seen there, and ``given`` can be written to. PID 1 of its namespace is this program.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
PR_CAPBSET_DROP = 24
POWERS = (2, 9, 16, 17, 19, 21, 22, 27)
"""Capabilities that root loses where it can become no other user: DAC_READ_SEARCH, LINUX_IMMUTABLE, SYS_MODULE,
SYS_RAWIO, SYS_PTRACE (to look into the referee), SYS_ADMIN, SYS_BOOT and MKNOD."""
SYS_MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
KILLING_S = 5.0
"""Bounds the killing of descendants that fork while they are killed."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a fresh one, of this command alone

_libc = ctypes.CDLL(None, use_errno=True)


class StepError(Exception):
    """A step that failed: its name and the system's number for why."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(step)
        self.step, self.number = step, number


def main() -> NoReturn:
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    order = json.loads(sys.stdin.buffer.readline())
    os.umask(0o022)
    _call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        if order["namespaces"]:
            _unshare(order)
        child = os.fork()
        if child == 0:
            _first_process(order, status)
        _guard(child, status)
        if order["namespaces"]:
            # Its /proc is the other namespace's by now: numbers in there are not those of this side.
            os.kill(child, signal.SIGKILL)
            # PID 1 of a namespace counts as ended when everything else in it has.
            os.waitpid(child, 0)
            os._exit(0)
    except StepError as error:
        _tell(status, error=error.step, errno=error.number)
    except OSError as error:
        _tell(status, error=str(error.filename or "starting it"), errno=error.errno)
    if not order["namespaces"]:
        _kill_descendants()
    os._exit(0)


def _guard(child: int, status: int) -> None:
    """Return when ``child`` has ended or the lifeline is closed; then everything is killed."""
    with selectors.DefaultSelector() as selector:
        ended = os.pidfd_open(child)
        selector.register(ended, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if ended in ready:
                how = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                assert how is not None  # noqa: S101 - it has ended
                _tell(status, exit=how.si_status if how.si_code == os.CLD_EXITED else -how.si_status)
                return
            if 0 in ready and not os.read(0, 4096):
                return


def _first_process(order: dict[str, Any], status: int) -> NoReturn:
    """With namespaces: be PID 1, which takes everything with it when it ends. Without: be the command."""
    try:
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if not order["namespaces"]:
            _become(order)
        _raise_view(order)
        command = os.fork()
        if command == 0:
            _become(order)
        while True:
            pid, how = os.wait()
            if pid == command:
                _tell(status, exit=os.waitstatus_to_exitcode(how))
                os._exit(0)
    except StepError as error:
        _tell(status, error=error.step, errno=error.number)
    except OSError as error:
        _tell(status, error=str(error.filename or "starting it"), errno=error.errno)
    os._exit(127)


def _unshare(order: dict[str, Any]) -> None:
    user, group = os.geteuid(), os.getegid()
    apart = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
    _call("unshare", apart if order["user"] is not None else apart | CLONE_NEWUSER)
    if order["user"] is None:
        # An exec'd process of the same user: the files are its own until it gives up being dumpable.
        _call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
        fcntl.ioctl(loopback, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _raise_view(order: dict[str, Any]) -> None:
    """What the command sees of the machine's files."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    # Opened before anything hides them. A link among them counts as what it leads to.
    given = {os.path.realpath(path) for path in order["given"]}
    kept = {path: os.open(path, os.O_PATH) for path in {*map(os.path.realpath, order["kept"]), *given}}
    _set_attributes("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, recursive=True)
    hidden = sorted({os.path.realpath(path) for path in order["hidden"] if Path(path).is_dir()})
    for path in hidden:
        if Path(path).is_dir():
            mode = "1777" if path in order["scratch"] else "755"
            _mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, f"size={order['scratch_bytes']},mode={mode}")
    for path in sorted(kept):
        if not Path(path).exists():
            Path(path).mkdir(parents=True)
        _mount(f"/proc/self/fd/{kept[path]}", path, None, MS_BIND | MS_REC)
        if path in given:
            _set_attributes(path, 0, MOUNT_ATTR_RDONLY, recursive=True)
        os.close(kept[path])
    for path in hidden:
        if path not in order["scratch"] and Path(path).is_dir():
            _set_attributes(path, MOUNT_ATTR_RDONLY, 0, recursive=False)
    if Path(SHARED_MEMORY).is_dir():
        _mount("tmpfs", SHARED_MEMORY, "tmpfs", MS_NOSUID | MS_NODEV, "size=50%,mode=1777")
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn into the command: another user, limits, no way back."""
    # Its files in /proc are its user's again, as they are after exec; this fork holds nothing but the order.
    _call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    Path("/proc/self/oom_score_adj").write_text("1000")
    os.chdir(order["folder"])
    for name, most in order["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    if order["user"] is not None:
        os.setgroups(order["groups"])
        os.setresgid(order["user"], order["user"], order["user"])
        os.setresuid(order["user"], order["user"], order["user"])
    elif os.geteuid() == 0 and not order["namespaces"]:
        for capability in POWERS:
            _call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # After the change of user, which clears it.
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.setsid()
    os.execve(order["command"][0], order["command"], order["environment"])  # noqa: S606


def _kill_descendants() -> None:
    """Kill and reap every descendant: as a subreaper, this process is the parent of every orphan among them."""
    end = time.monotonic() + KILLING_S
    while time.monotonic() < end:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _descendants() -> list[int]:
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                parents[int(process.name)] = int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def _tell(status: int, **what: Any) -> None:
    os.write(status, json.dumps(what).encode() + b"\n")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _call("mount", *texts[:3], ctypes.c_ulong(flags), texts[3], about=target)


def _set_attributes(target: str, add: int, clear: int, *, recursive: bool) -> None:
    attributes = struct.pack("QQQQ", add, clear, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    parts: Sequence[Any] = (SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), flags, attributes, len(attributes))
    _call("syscall", *parts, about=target)


def _call(name: str, *arguments: Any, about: str = "") -> None:
    if getattr(_libc, name)(*arguments) < 0:
        raise StepError(f"{name} {about}".strip(), ctypes.get_errno())


if __name__ == "__main__":
    main()
