"""The gallery is found from a wheel and from the checkout, wherever Python is started."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

TRY_GALLERY = """
import json
import bayeslmm.gallery as gallery
data = gallery.load_dataset("orthodont")
model = gallery.read_model("sleepstudy")
print(json.dumps({
    "file": gallery.__file__,
    "models": gallery.list_models(),
    "rows": len(data),
    "levels": list(data["Sex"].cat.categories),
    "formula": model.keywords["formula"],
    "references": len(model.references),
    "class": type(gallery.load_model("dyestuff")).__name__,
}))
"""


@pytest.fixture(scope="module")
def wheel(run_python, project, tmp_path_factory) -> Path:
    """The project's wheel, built now."""
    folder = tmp_path_factory.mktemp("wheel")
    arguments = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    result = run_python(*arguments, cwd=project)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = folder.glob("bayeslmm-*.whl")
    return path


@pytest.fixture
def unpacked(wheel, tmp_path) -> Path:
    """The wheel's files, as an installation has them."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


def check_gallery(result, project: Path, package: Path) -> None:
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert Path(answer["file"]).is_relative_to(package)
    assert answer["models"] == sorted(path.stem for path in (project / "models").glob("*.toml"))
    assert (answer["rows"], answer["levels"]) == (108, ["Male", "Female"])
    assert answer["formula"] == "Reaction ~ Days + (Days | Subject)"
    assert answer["references"] == 2
    assert answer["class"] == "Model"


def test_wheel_carries_gallery_licence_and_types(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"bayeslmm/py.typed", "bayeslmm/models/sleepstudy.toml"} <= names
    assert {"bayeslmm/models/data/sleepstudy.csv", "bayeslmm/models/data/PROVENANCE.md"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "models/")) for name in names)


def test_gallery_from_a_wheel(run_python, project, unpacked, tmp_path):
    result = run_python("-P", "-c", TRY_GALLERY, cwd=tmp_path, path=unpacked)
    check_gallery(result, project, unpacked / "bayeslmm")


def test_gallery_from_the_checkout(run_python, project, tmp_path):
    result = run_python("-P", "-c", TRY_GALLERY, cwd=tmp_path)
    check_gallery(result, project, project / "bayeslmm")


def test_a_wheel_without_gallery_says_so(run_python, unpacked, tmp_path):
    for path in (unpacked / "bayeslmm" / "models").glob("*.toml"):
        path.unlink()
    result = run_python("-P", "-c", TRY_GALLERY, cwd=tmp_path, path=unpacked)
    assert result.returncode == 1
    assert "GalleryError: This installation has no gallery" in result.stderr
