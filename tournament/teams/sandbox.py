"""What confines a foreign command on this machine, from the most that can be had to nothing.

``apart``: namespaces. The machine's files are read-only, home folders are hidden, there is no network and no other
process to be seen. ``user``: another user, where this process is root and has no namespaces. ``none``: limits alone.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, get_args
from zlib import crc32

Confinement = Literal["apart", "user", "none"]
CONFINEMENTS: tuple[Confinement, ...] = get_args(Confinement)

FIRST_USER, USERS = 61_184, 4_000
"""User ids for foreign commands, one a folder: from the range that systemd keeps for users of the moment."""
MAX_PROCESSES = 4_096
"""Bounds processes and threads of a command. vLLM on 16 cores starts about 400."""
MAX_OPEN_FILES = 65_536
"""Bounds the open files of one process. Loading a checkpoint of many shards takes hundreds."""
MAX_WRITTEN_BYTES = 16 << 30
"""Bounds each file that a command writes: room for a cache of compiled kernels, not for a full disk at once."""
MEMORY_SHARE = 0.8
"""Bounds the private memory of one process, as a share of the machine's. The referee needs the rest."""
SCRATCH_BYTES = 256 << 20
"""Bounds /tmp, which is in memory. Larger files go to TMPDIR, a folder of the command's own on the disk."""
SCRATCH = ("/tmp", "/var/tmp")  # noqa: S108 - hidden from the command, which gets its own
HIDDEN = (*SCRATCH, "/root", "/home", "/run", "/var/run")
"""Folders whose contents a command does not see: homes, other programs' files, and the sockets of services."""
GPU_DEVICES = ("kfd", "dri/renderD*", "dri/card*", "nvidia*")
"""Devices below /dev that a command may open where their group may: those of AMD and of NVIDIA."""


@dataclass(frozen=True)
class Order:
    """What ``warden`` is told."""

    command: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    namespaces: bool = False
    user: int | None = None
    """Another user to become; None stays this one."""
    groups: Sequence[int] = ()
    given: Sequence[str] = ()
    """Folders that can be written to."""
    kept: Sequence[str] = ()
    """Paths that are seen, read-only, although they lie in ``hidden``."""
    hidden: Sequence[str] = ()
    scratch: Sequence[str] = SCRATCH
    scratch_bytes: int = SCRATCH_BYTES
    limits: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def order_for(
    confinement: Confinement, command: Sequence[str], folder: Path, home: str, environment: Mapping[str, str]
) -> Order:
    """The order to run ``command`` in ``folder``, which it may write to, as it may to ``home``."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": MAX_OPEN_FILES,
        "RLIMIT_FSIZE": MAX_WRITTEN_BYTES,
        # Not the address space, of which GPU libraries reserve more than there is memory.
        "RLIMIT_DATA": int(MEMORY_SHARE * memory),
    }
    if confinement == "none":
        return Order(command, str(folder), environment, limits=limits)
    root = os.geteuid() == 0
    user = user_of(folder) if root else None
    return Order(
        command,
        str(folder),
        environment,
        namespaces=confinement == "apart",
        user=user,
        groups=_gpu_groups() if root else (),
        given=(str(folder), home),
        kept=_kept(command[0], environment),
        hidden=(*HIDDEN, str(_own_home())),
        # Of any other user than one that is made up, the user's own processes count too.
        limits={**limits, "RLIMIT_NPROC": MAX_PROCESSES} if root else limits,
    )


def user_of(folder: Path) -> int:
    """The user id that a root referee runs the commands of ``folder`` as: another one for another folder."""
    return FIRST_USER + crc32(os.fsencode(folder)) % USERS


@contextmanager
def given_to(user: int | None, *folders: Path) -> Iterator[None]:
    """Make ``folders`` the user's own for a while, then give them back. Links are not followed; None does nothing.

    What belongs to neither the folder's owner nor this user stays as it is. So does a file with more than one name: its
    other name may be in a cache of models.
    """
    owners = {}
    try:
        if user is not None:
            for folder in folders:
                owner, group = folder.stat().st_uid, folder.stat().st_gid
                # Still the user's after a referee that was killed.
                owners[folder] = (owner, group) if owner != user else (os.geteuid(), os.getegid())
                _chown(folder, user, user, of={owner, os.geteuid()})
        yield
    finally:
        for folder, (owner, group) in owners.items():
            _chown(folder, owner, group, of={user})


@cache
def hide_secrets() -> None:
    """Keep this process's secrets and open files from the processes it starts, also from those of the same user.

    Secrets in the environment are erased where /proc/PID/environ shows them; ``os.environ`` still has them.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    for name, value in list(os.environ.items()):
        if _SECRET.search(name) and (place := libc.getenv(os.fsencode(name))):
            ctypes.memset(place, ord("*"), len(ctypes.string_at(place)))
            # A copy elsewhere, for libraries and for children that are ours.
            os.environ[name] = value
    # Then /proc/PID/fd, environ and mem are root's, and no process of this user may trace this one.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


PR_SET_DUMPABLE = 4
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)


def _own_home() -> Path:
    # Not Path.home(), which raises for a user that has none.
    return Path(os.environ.get("HOME") or "/root")


def _kept(python: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The interpreter, also one that a virtual environment leads to, this one, and the caches of models."""
    own = Path(python).resolve()
    whole = {Path("/"), Path("/usr"), _own_home()}
    folders = [own.parents[1], Path(python).absolute().parents[1], Path(sys.prefix), Path(sys.base_prefix)]
    folders += [Path(environment[name]) for name in ("HF_HUB_CACHE", "AIAC_CACHE_DIR") if name in environment]
    return tuple(str(path) for path in dict.fromkeys(folders) if path.is_dir() and path not in whole)


def _gpu_groups() -> tuple[int, ...]:
    devices = (path for pattern in GPU_DEVICES for path in Path("/dev").glob(pattern))
    found = set()
    for path in devices:
        with suppress(OSError):
            found.add(path.stat().st_gid)
    return tuple(sorted(found - {0}))


def _chown(folder: Path, user: int, group: int, of: set[int | None]) -> None:
    """Change the owner of what belongs to ``of`` in ``folder``. No process of the submission runs now."""
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        with suppress(OSError):
            if inside.stat(follow_symlinks=False).st_uid in of:
                os.chown(inside, user, group, follow_symlinks=False)
            with os.scandir(inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting += [Path(entry.path)] if entry.name != ".venv" else []
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink == 1 and status.st_uid in of:
                        os.chown(entry.path, user, group, follow_symlinks=False)
