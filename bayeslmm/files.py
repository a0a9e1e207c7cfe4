"""Writing a file so that it is either the old one or the whole new one.

The bytes are complete before the file is opened: what writes them (HDF5, an image library) never
meets a full disk, and ordinary writes report one as an error.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from bayeslmm.errors import FileError

Buffer = bytes | bytearray | memoryview
_NEW_FILE = 0o666  # less the umask, which the system takes off by itself
_ANONYMOUS = getattr(os, "O_TMPFILE", 0)


def write(path: str | Path, content: Buffer, what: str) -> None:
    """Put bytes in a file, in one step: an error or a kill leaves the old file as it was.

    A link is followed; the file keeps its mode. What is not a regular file (a pipe, a device) is
    written to directly.

    Parameters
    ----------
    path : str or Path
    content : bytes
    what : str
        For messages, "The fit".

    Raises
    ------
    FileError
        The folder does not exist, the path is a folder, or the system can't write there.
    """
    try:
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise FileError(f"{what} can't be saved: there is no folder {str(target.parent)!r}")
        if target.is_dir():
            raise FileError(
                f"{what} can't be saved: {str(target)!r} is a folder",
                hint="Give the path of a file in it",
            )
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        _replace(target, content)
    except (OSError, ValueError) as error:  # a ValueError: a null byte, a lone surrogate
        if isinstance(error, FileError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{what} could not be saved to {str(path)!r}", got=reason) from error


def _replace(target: Path, content: Buffer) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "the file there is read-only")
    beside = target.parent / f".bayeslmm-{secrets.token_hex(8)}"
    try:
        with _opened(target.parent, beside) as handle:
            _write_all(handle, content)
            if mode is not None:
                os.fchmod(handle, mode)
            os.fsync(handle)
            if not beside.exists():
                # the path is absolute: dst_dir_fd only selects the call that follows the link
                os.link(f"/proc/self/fd/{handle}", beside, dst_dir_fd=handle)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(target.parent)


@contextlib.contextmanager
def _opened(folder: Path, beside: Path) -> Iterator[int]:
    """A new file without a name, which a kill leaves no trace of; with one where need be."""
    handle = -1
    if _ANONYMOUS and Path("/proc/self/fd").is_dir():
        with contextlib.suppress(OSError):  # not every file system has files without names
            handle = os.open(folder, os.O_WRONLY | _ANONYMOUS, _NEW_FILE)
    if handle < 0:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_FILE)
    try:
        yield handle
    finally:
        os.close(handle)


def _write_all(handle: int, content: Buffer) -> None:
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[os.write(handle, rest[: 1 << 26]) :]


def _sync(folder: Path) -> None:
    """Have the renaming itself on the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
