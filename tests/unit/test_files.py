"""Files are the old one or the whole new one, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from bayeslmm import files
from bayeslmm.errors import FileError


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("anonymous", [True, False], ids=["without a name", "with a name"])
@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("x")],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    anonymous: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not anonymous:
        monkeypatch.setattr(files, "_ANONYMOUS", 0)
    path = tmp_path / "a"
    files.write(path, b"old", "It")
    written = os.write

    def half(handle: int, content: memoryview) -> int:
        if len(content) < 5:
            raise error
        return written(handle, content[: len(content) // 2])

    monkeypatch.setattr(os, "write", half)
    expected = type(error) if isinstance(error, KeyboardInterrupt) else FileError
    with pytest.raises(expected) as caught:
        files.write(path, b"new and longer", "It")
    monkeypatch.undo()
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("anonymous", [True, False], ids=["without a name", "with a name"])
def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual(
    anonymous: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not anonymous:
        monkeypatch.setattr(files, "_ANONYMOUS", 0)
    (tmp_path / "usual").write_bytes(b"")
    usual = stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    path = tmp_path / "a"
    files.write(path, b"one", "It")
    assert stat.S_IMODE(path.stat().st_mode) == usual
    path.chmod(0o640)
    files.write(path, memoryview(b"two"), "It")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and path.read_bytes() == b"two"
    assert names(tmp_path) == ["a", "usual"]


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "a")
    files.write(tmp_path / "link", b"one", "It")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "a").read_bytes() == b"one"
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    files.write(tmp_path / "pipe", b"two", "It")
    reader.join(10)
    assert read == [b"two"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere/a", "there is no folder"),
        (".", "is a folder"),
        ("file/a", "there is no folder"),
        ("n" * 300, "too long"),
        ("a\0b", "null"),
        ("\ud800", "surrogate"),
    ],
)
def test_odd_paths_are_refused(path: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match=text):
        files.write(os.path.join(tmp_path, path), b"x", "It")  # noqa: PTH118 (a path of any kind)
    assert names(tmp_path) == ["file"]


def test_the_umask_of_the_process_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(mask: int) -> Any:
        raise AssertionError(f"umask({mask})")

    monkeypatch.setattr(os, "umask", touched)
    files.write(tmp_path / "a", b"x", "It")
