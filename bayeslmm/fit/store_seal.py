"""A checksum behind the end of a saved fit, which HDF5 does not read.

A changed byte in an HDF5 file is often not an error but another number. Files without a checksum
(an older version's, or those that another program has written again) are read too.
"""

from __future__ import annotations

import hashlib

MARK = b"bayeslmm blake2b"
_SIZE = 32


def sealed(content: bytes | memoryview) -> bytes:
    """The content with its checksum behind it."""
    seal = hashlib.blake2b(content, digest_size=_SIZE).digest()
    return b"".join((content, MARK, seal))


def check_seal(content: bytes) -> None:
    """Compare a file's content with its checksum, where it has one.

    Raises
    ------
    ValueError
        They differ.
    """
    length = len(content) - len(MARK) - _SIZE
    if length <= 0 or content[length : length + len(MARK)] != MARK:
        return
    found = hashlib.blake2b(memoryview(content)[:length], digest_size=_SIZE).digest()
    if found != content[-_SIZE:]:
        raise ValueError("the file was damaged or changed after it was saved: its checksum differs")
