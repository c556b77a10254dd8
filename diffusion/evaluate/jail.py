"""Run one untrusted program under every limit this kernel grants. A script, not a module.

Started by `diffusion.evaluate.executor` as `python -I -S -B jail.py OPTIONS`, in a session of
its own; imports nothing but the standard library, so that a fresh interpreter starts fast and
nothing of the parent (threads, torch, open files) is carried along. It forks: the child takes
the limits on and becomes the program; the parent keeps the clock, kills what is left, and
writes one JSON object to the report descriptor (which the program never holds):
`{"exit": code | null, "signal": number | null, "timed_out": bool, "layers": [...]}`. `timed_out`
is set by the wall clock (`wall_s`) and by the limit on processor time (`cpu_s`, whole seconds).

Layers, each used where it can be had: resource limits (processor time, address space, no
file growth, open files, processes, no core file), a network namespace without interfaces, a
process namespace (what the program leaves behind dies with it), Landlock without any right to
write or make files, a user id without rights (when started as root), no new privileges.
Linux has all of them; elsewhere only the resource limits and the clock remain. Against code
that is trying to break out, this is no security boundary.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
import time
from typing import Any

# Values from the Linux headers sched.h, prctl.h and landlock.h.
NEW_NETWORK, NEW_USER, NEW_PROCESSES = 0x40000000, 0x10000000, 0x20000000
SET_DEATH_SIGNAL, SET_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 36, 38
LANDLOCK_CREATE, LANDLOCK_RESTRICT, LANDLOCK_VERSION_FLAG = 444, 446, 1
WRITE_FILE, REMOVE_DIR_TO_MAKE_SYM, REFER, TRUNCATE = 1 << 1, 0x1FF << 4, 1 << 13, 1 << 14
TCP_BIND_AND_CONNECT = 0b11
MOST_PROCESSES, MOST_OPEN_FILES = 32, 64
POLL_S = 0.002
CPU_MARGIN_S = 0.1
FIRST_SPARE_UID = 61000  # one per jail, so that process limits do not add up


def main() -> None:
    options = json.loads(sys.argv[1])
    on_linux = platform.system() == "Linux"
    libc = ctypes.CDLL(None, use_errno=True) if on_linux else None
    layers = ["limits"]
    if libc is not None:
        libc.prctl(SET_SUBREAPER, 1, 0, 0, 0)
        layers += _leave_namespaces(libc)
        rules = _landlock_rules(libc)
        if rules >= 0:
            layers.append("landlock")
    else:
        rules = -1
    if options["drop_user"] and os.geteuid() == 0:
        layers.append("user")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _become_program(options, libc, rules)
        except Exception as error:  # the fork must not run on as a second jail
            os.write(2, f"jail: {error}\n".encode())
        finally:
            os._exit(126)
    status, timed_out = _wait(child, began + options["wall_s"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if os.WIFSIGNALED(status) and used.ru_utime + used.ru_stime >= options["cpu_s"] - CPU_MARGIN_S:
        timed_out = True
    _kill_leftovers(child)
    report = {
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
        "layers": layers,
    }
    os.write(options["report_fd"], json.dumps(report).encode())


def _leave_namespaces(libc: ctypes.CDLL) -> list[str]:
    """Enter a fresh network and process namespace: as root at once, else with a user one."""
    for extra in (0, NEW_USER):
        if libc.unshare(NEW_NETWORK | NEW_PROCESSES | extra) == 0:
            return ["network", "processes"]
    for extra in (0, NEW_USER):
        if libc.unshare(NEW_NETWORK | extra) == 0:
            return ["network"]
    return []


def _landlock_rules(libc: ctypes.CDLL) -> int:
    """A rule set that takes every write right (and TCP) away; -1 where there is none."""
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION_FLAG)
    if version < 1:
        return -1
    rights = WRITE_FILE | REMOVE_DIR_TO_MAKE_SYM
    rights |= REFER if version >= 2 else 0
    rights |= TRUNCATE if version >= 3 else 0
    fields = [rights] if version < 4 else [rights, TCP_BIND_AND_CONNECT]
    data = struct.pack(f"{len(fields)}Q", *fields)
    return int(libc.syscall(LANDLOCK_CREATE, data, ctypes.c_size_t(len(data)), 0))


def _become_program(options: dict[str, Any], libc: ctypes.CDLL | None, rules: int) -> None:
    os.setsid()
    os.chdir(options["directory"])
    limits = [
        (resource.RLIMIT_CPU, options["cpu_s"]),
        (resource.RLIMIT_AS, options["memory_bytes"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MOST_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]
    for kind, most in limits:
        _limit(kind, most)
    if options["drop_user"] and os.geteuid() == 0:
        uid = FIRST_SPARE_UID + options["report_salt"] % 4000
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _limit(resource.RLIMIT_NPROC, MOST_PROCESSES)
    if libc is not None:
        libc.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if rules >= 0:
            libc.syscall(LANDLOCK_RESTRICT, rules, 0)
    os.close(options["report_fd"])  # whatever number the caller's pipe has
    os.closerange(3, MOST_OPEN_FILES)
    command = options["command"]
    os.execve(command[0], command, options["environment"])


def _limit(kind: int, most: int) -> None:
    """Set a limit, or as much of it as the one in force allows."""
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        most = min(most, ceiling)
    try:
        resource.setrlimit(kind, (most, most))
    except (ValueError, OSError):  # macOS refuses to bound the address space
        sys.stderr.write(f"jail: limit {kind} cannot be set here\n")


def _wait(child: int, deadline: float) -> tuple[int, bool]:
    """The child's wait status, and whether the clock ended it."""
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            return status, False
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], True
        time.sleep(POLL_S)


def _kill_leftovers(child: int) -> None:
    """Kill the program's session and whatever left it: this process reaps its orphans."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already, as wanted
        os.killpg(child, signal.SIGKILL)
    while True:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                orphans = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        if not orphans:
            return
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
