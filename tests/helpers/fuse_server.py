"""Shows a folder at another place, all but its locks: ``fuse_server.py FOLDER PLACE ERRNO``.

The kernel's protocol (linux/fuse.h) is spoken here, in the few words that this takes, so that
nothing need be installed for it. One request at a time; no links but hard ones, no devices.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import resource
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

POSIX_LOCKS, FLOCK_LOCKS = 1 << 1, 1 << 10
"""With these the kernel asks us for locks; it would else give them by itself."""
AT_ONCE = 1 << 17
"""Bytes of a write."""
KEPT_S = 1
"""How long the kernel need not ask again what a name or a file is."""
DETACH = 2


@dataclass(kw_only=True)
class Served:
    """What the kernel knows; a file is held by an ``O_PATH`` descriptor, whatever its name is."""

    nodes: dict[int, int]
    """Descriptors by the number that the kernel has for each file."""
    refusal: int
    known: dict[tuple[int, int], int] = field(default_factory=dict)
    looked: dict[int, int] = field(default_factory=dict)
    listed: dict[int, list[tuple[str, int, int]]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def path(self, node: int) -> str:
        return f"/proc/self/fd/{self.nodes[node]}"

    def entry(self, parent: int, name: bytes) -> bytes:
        """Returns what is at a name, which the kernel knows from now on."""
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.nodes[parent])
        status = os.fstat(found)
        which = (status.st_dev, status.st_ino)
        if which in self.known:
            os.close(found)
        else:
            self.known[which] = next(self.numbers)
            self.nodes[self.known[which]] = found
        node = self.known[which]
        self.looked[node] = self.looked.get(node, 0) + 1
        return struct.pack("<4Q2I", node, 0, KEPT_S, KEPT_S, 0, 0) + packed(status)

    def forget(self, node: int, times: int) -> None:
        self.looked[node] -= times
        if self.looked[node] == 0:
            del self.looked[node]
            status = os.fstat(self.nodes[node])
            del self.known[status.st_dev, status.st_ino]
            os.close(self.nodes.pop(node))


def packed(status: os.stat_result) -> bytes:
    """Returns what the kernel wants to know of a file."""
    times = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
    seconds, parts = zip(*(divmod(ns, 10**9) for ns in times), strict=True)
    sizes = (status.st_ino, status.st_size, status.st_blocks)
    whose = (status.st_mode, status.st_nlink, status.st_uid, status.st_gid)
    return struct.pack("<6Q10I", *sizes, *seconds, *parts, *whose, 0, status.st_blksize, 0)


def names(data: bytes) -> list[bytes]:
    return data.split(b"\0")[:-1]


def handle(data: bytes) -> int:
    """Returns the open file that a request is about, or the node beside the request's own."""
    return struct.unpack_from("<Q", data)[0]


def init(served: Served, node: int, data: bytes) -> bytes:
    major, _, ahead, flags = struct.unpack_from("<4I", data)
    wanted = flags & (POSIX_LOCKS | FLOCK_LOCKS)
    return struct.pack("<4I2H2I", major, 31, ahead, wanted, 12, 9, AT_ONCE, 1) + bytes(36)


def forget(served: Served, node: int, data: bytes) -> None:
    served.forget(node, handle(data))


def forget_all(served: Served, node: int, data: bytes) -> None:
    for one, times in struct.iter_unpack("<2Q", data[8:]):
        served.forget(one, times)


def look_up(served: Served, node: int, data: bytes) -> bytes:
    return served.entry(node, data[:-1])


def attributes(served: Served, node: int, data: bytes) -> bytes:
    return struct.pack("<Q2I", KEPT_S, 0, 0) + packed(os.fstat(served.nodes[node]))


def set_attributes(served: Served, node: int, data: bytes) -> bytes:
    path = served.path(node)
    valid, size = struct.unpack_from("<I12xQ", data)
    mode, uid, gid = struct.unpack_from("<I4x2I", data, 68)
    if valid & 1:
        Path(path).chmod(stat.S_IMODE(mode))
    if valid & 6:
        os.chown(path, uid if valid & 2 else -1, gid if valid & 4 else -1)
    if valid & 8:
        os.truncate(path, size)
    if valid & 48:
        status = os.fstat(served.nodes[node])
        seconds, parts = struct.unpack_from("<2Q", data, 32), struct.unpack_from("<2I", data, 56)
        accessed, changed = (
            whole * 10**9 + part for whole, part in zip(seconds, parts, strict=True)
        )
        kept = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(path, ns=(accessed if valid & 16 else kept[0], changed if valid & 32 else kept[1]))
    return attributes(served, node, data)


def make_folder(served: Served, node: int, data: bytes) -> bytes:
    (name,), (mode,) = names(data[8:]), struct.unpack_from("<I", data)
    os.mkdir(name, mode, dir_fd=served.nodes[node])
    return served.entry(node, name)


def unlink(served: Served, node: int, data: bytes) -> bytes:
    os.unlink(data[:-1], dir_fd=served.nodes[node])
    return b""


def remove_folder(served: Served, node: int, data: bytes) -> bytes:
    os.rmdir(data[:-1], dir_fd=served.nodes[node])
    return b""


def rename(served: Served, node: int, data: bytes) -> bytes:
    old, new = names(data[8:])
    os.rename(old, new, src_dir_fd=served.nodes[node], dst_dir_fd=served.nodes[handle(data)])
    return b""


def link(served: Served, node: int, data: bytes) -> bytes:
    (name,) = names(data[8:])
    os.link(served.path(handle(data)), name, dst_dir_fd=served.nodes[node], follow_symlinks=True)
    return served.entry(node, name)


def opened(file: int) -> bytes:
    return struct.pack("<Q2I", file, 0, 0)


def open_file(served: Served, node: int, data: bytes) -> bytes:
    (flags,) = struct.unpack_from("<I", data)
    # The kernel says where what is appended goes.
    return opened(os.open(served.path(node), flags & ~(os.O_APPEND | os.O_NOFOLLOW)))


def create(served: Served, node: int, data: bytes) -> bytes:
    (name,), (flags, mode) = names(data[16:]), struct.unpack_from("<2I", data)
    flags = (flags | os.O_CREAT) & ~os.O_APPEND
    file = os.open(name, flags, mode, dir_fd=served.nodes[node])
    return served.entry(node, name) + opened(file)


def read(served: Served, node: int, data: bytes) -> bytes:
    file, offset, size = struct.unpack_from("<2QI", data)
    return os.pread(file, size, offset)


def write(served: Served, node: int, data: bytes) -> bytes:
    file, offset = struct.unpack_from("<2Q", data)
    return struct.pack("<2I", os.pwrite(file, data[40:], offset), 0)


def synced(served: Served, node: int, data: bytes) -> bytes:
    os.fsync(handle(data))
    return b""


def close(served: Served, node: int, data: bytes) -> bytes:
    served.listed.pop(handle(data), None)
    os.close(handle(data))
    return b""


def open_folder(served: Served, node: int, data: bytes) -> bytes:
    file = os.open(served.path(node), os.O_RDONLY | os.O_DIRECTORY)
    with os.scandir(file) as entries:
        kinds = {True: stat.S_IFDIR, False: stat.S_IFREG}
        found = [
            (one.name, one.inode(), kinds[one.is_dir(follow_symlinks=False)]) for one in entries
        ]
    served.listed[file] = found
    return opened(file)


def read_folder(served: Served, node: int, data: bytes) -> bytes:
    file, offset, size = struct.unpack_from("<2QI", data)
    answer = b""
    for number, (name, inode, kind) in enumerate(served.listed[file][offset:], offset + 1):
        text = os.fsencode(name)
        one = struct.pack("<2Q2I", inode, number, len(text), kind >> 12) + text
        one += bytes(-len(one) % 8)
        if len(answer) + len(one) > size:
            break
        answer += one
    return answer


def room(served: Served, node: int, data: bytes) -> bytes:
    found = os.fstatvfs(served.nodes[1])
    sizes = (found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree)
    return struct.pack("<5Q4I24x", *sizes, found.f_bsize, found.f_namemax, found.f_frsize, 0)


REQUESTS: dict[int, Callable[[Served, int, bytes], bytes | None]] = {
    1: look_up,
    2: forget,
    3: attributes,
    4: set_attributes,
    9: make_folder,
    10: unlink,
    11: remove_folder,
    12: rename,
    13: link,
    14: open_file,
    15: read,
    16: write,
    17: room,
    18: close,
    20: synced,
    26: init,
    27: open_folder,
    28: read_folder,
    29: close,
    30: synced,
    35: create,
    42: forget_all,
}
"""By the kernel's numbers. Who forgets waits for no answer."""
LOCKS = (31, 32, 33)


def serve(device: int, served: Served) -> None:
    """Answers until the place is mounted no more."""
    while True:
        try:
            request = os.read(device, AT_ONCE + 4096)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return
            if error.errno in (errno.ENOENT, errno.EINTR):  # Who asked has gone.
                continue
            raise
        _, code, unique, node = struct.unpack_from("<2I2Q", request)
        failed, answer = served.refusal if code in LOCKS else errno.ENOSYS, b""
        if code in REQUESTS:
            try:
                failed, answer = 0, REQUESTS[code](served, node, request[40:])
            except OSError as error:
                failed = error.errno or errno.EIO
        if answer is not None:
            with contextlib.suppress(FileNotFoundError):  # Who asked has gone.
                os.write(device, struct.pack("<IiQ", 16 + len(answer), -failed, unique) + answer)


def main(folder: str, place: str, refusal: str) -> None:
    """Mounts a folder at a place and serves it until it is told to end."""
    os.umask(0)  # The kernel has taken that of who asks into account.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    libc = ctypes.CDLL(None, use_errno=True)
    served = Served(nodes={1: os.open(folder, os.O_PATH)}, refusal=int(refusal))
    device = os.open("/dev/fuse", os.O_RDWR)
    kind = f"fd={device},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
    if libc.mount(b"no-locks", os.fsencode(place), b"fuse", 0, kind.encode()):
        sys.exit(f"{place} cannot be mounted: {os.strerror(ctypes.get_errno())}")
    try:
        serve(device, served)
    finally:
        os.close(device)  # First: nobody waits for an answer then.
        libc.umount2(os.fsencode(place), DETACH)


if __name__ == "__main__":
    main(*sys.argv[1:])
