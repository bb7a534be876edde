"""The process in which a student's code runs. It hands over values, never a verdict.

On Linux it has its own users, processes, mounts and network: no network, nothing writable but a small folder of its
own, no process outside that it could end, the other submissions out of sight. Elsewhere, or where the system does not
allow that, an audit hook refuses what Python knows of network, programs and writing outside that folder; code that
goes around Python, as with ``ctypes``, it does not stop.
"""

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

from .values import pack, unpack

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

# of unshare(2), mount(2), mount_setattr(2) and prctl(2)
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
PRIVATE, BIND, READ_ONLY, RECURSIVE, MOUNT_SETATTR = 0x44000, 0x1000, 1, 0x8000, 442
NOT_DUMPABLE, NO_NEW_PRIVILEGES = 4, 38
MEGABYTE = 2**20
REFUSED = (
    "socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo socket.gethostbyname os.system os.exec "
    "os.posix_spawn os.spawn os.fork os.forkpty subprocess.Popen os.kill os.killpg os.remove os.rename os.rmdir "
    "os.link os.symlink os.chmod os.truncate shutil.rmtree os.startfile ctypes.dlopen"
)


def work(job, pipe, folder):
    """Run a job's code in a child of its own, and end that child when its time is over, or when told to."""
    limits = job["limits"]
    isolated = job["isolate"] and _leave(folder, job["hidden"], limits)
    pipe.send_bytes(b"namespaces" if isolated else b"guards")
    if not hasattr(os, "fork"):
        return _answer(job, pipe, folder, isolated)
    child = 0

    def end(*_):
        for kill in (os.killpg, os.kill):  # the first process of its kind takes all others with it
            with contextlib.suppress(OSError):
                kill(child, signal.SIGKILL)
        os._exit(0)

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, end)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            _answer(job, pipe, folder, isolated)
        finally:
            os._exit(1)
    pipe.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    deadline = time.monotonic() + limits["seconds"] + 10
    while time.monotonic() < deadline and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.02)
    end()


def stay_private():
    """No other process of the same user may read this one's memory or open its pipes; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(NOT_DUMPABLE, 0, 0, 0, 0)


def _leave(folder, hidden, limits):
    """Whether this process could be given its own users, mounts, network, and, for its children, processes."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # a socket in a folder is no part of the network: through it programs outside could be asked to act
    sockets = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if " /" in line]
    try:
        _unshare(libc, NEW_USER | NEW_MOUNTS | NEW_NETWORK | NEW_IPC | NEW_PROCESSES)
        _succeed(libc.mount(None, b"/", None, PRIVATE, None))
        for path in sockets:
            libc.mount(b"/dev/null", os.fsencode(path), None, BIND, None)  # fails for those that are gone
        for path in [*hidden, *filter(os.path.isdir, ("/run", "/dev/pts"))]:
            _succeed(libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", READ_ONLY, b"size=4k"))
        change = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
        _succeed(libc.syscall(MOUNT_SETATTR, -100, b"/", RECURSIVE, change, len(change)))
        size = f"size={limits['files']}m".encode()
        _succeed(libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size))
    except OSError:
        return False
    return True


def _unshare(libc, what):
    user, group = os.getuid(), os.getgid()
    _succeed(libc.unshare(what))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _succeed(status):
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _answer(job, pipe, folder, isolated):
    """Run the code, hand over what stands under the names, and answer calls until the judge has enough."""
    _settle(job, pipe, folder, isolated)
    namespace, functions = {"__name__": "__main__"}, []
    try:
        exec(compile(job["code"], "answer", "exec"), namespace)
        absent = [name for name in job["names"] if name not in namespace]
        said = {"absent": absent} if absent else {"values": pack([namespace[name] for name in job["names"]], functions)}
    except BaseException as error:
        said = _raised(error)
    pipe.send_bytes(json.dumps(said).encode())
    while True:
        asked = json.loads(pipe.recv_bytes())
        try:
            arguments = unpack(asked["arguments"], checks=True)
            result = functions[asked["function"]](*arguments)
            said = {"result": pack(result, functions), "arguments": pack(arguments)}
        except BaseException as error:
            said = _raised(error)
        pipe.send_bytes(json.dumps(said).encode())


def _raised(error):
    try:
        return {"raised": [type(error).__name__[:60], str(error)[:500]]}
    except BaseException:
        return {"raised": ["an error that cannot be printed", ""]}


def _settle(job, pipe, folder, isolated):
    """Leave everything behind but the pipe and the folder."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    if os.name == "posix":
        os.setsid()
        os.closerange(3, pipe.fileno())
        os.closerange(pipe.fileno() + 1, 65536)
    if isolated:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mount(b"proc", b"/proc", b"proc", 0, None)  # where that is refused, the old one stays, which tells little
        _unshare(libc, NEW_USER | NEW_MOUNTS)  # from here on nobody can take these mounts away
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.chdir(folder)
    os.environ.update(TMPDIR=folder, TEMP=folder, TMP=folder, MPLCONFIGDIR=folder)
    tempfile.tempdir = folder
    sys.path[:] = [path for path in sys.path if path]
    limit(job["limits"])
    if not isolated:
        _guard(folder)


def limit(limits):
    """Limit this process, in memory from here on."""
    if resource is None:
        return
    used = 0
    with contextlib.suppress(OSError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for name, most in (
        ("RLIMIT_AS", used + limits["memory"] * MEGABYTE),
        ("RLIMIT_CPU", 4 * limits["seconds"] + 10),  # of all threads together
        ("RLIMIT_FSIZE", limits["files"] * MEGABYTE),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_NPROC", 4096),
        ("RLIMIT_CORE", 0),
    ):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (most, most))


def _guard(folder):
    """Refuse, until this process ends, what Python knows of network, programs, and writing elsewhere."""
    own, null = os.path.realpath(folder), os.path.realpath(os.devnull)
    inside, refused = own + os.sep, REFUSED.split()

    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in (mode or "") for letter in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, (str, bytes, os.PathLike)):
                real = os.path.realpath(os.fsdecode(path))
                if real != null and not real.startswith(inside):
                    raise PermissionError("an answer may write into its own folder only")
        elif event in refused:
            inner = [os.path.realpath(os.fsdecode(one)) for one in arguments if isinstance(one, (str, bytes))]
            if event.startswith(("os.re", "os.rm", "shutil")) and inner and all(p.startswith(inside) for p in inner):
                return
            raise PermissionError(f"an answer may not use {event}")

    sys.addaudithook(hook)
