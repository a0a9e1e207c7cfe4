"""Model files of a user's own, written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CSV = "y,x,g,note\n1.5,1,01,a\n2.5,2,02,\n0.25,3,02,b\nNA,4,10,b\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a model file (and data beside it) and hand back its path."""

    def make(toml: str, csv: str | bytes = CSV) -> Path:
        (tmp_path / "d.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
        (tmp_path / "m.toml").write_text(toml, encoding="utf-8")
        return tmp_path / "m.toml"

    return make
