"""A picture shows once in a notebook, wherever the call stands in its cell; whether pyplot was
loaded before, by the first picture, or by ``%matplotlib inline``."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HOME = Path(__file__).parents[2]

START = """
import sys
import bayeslmm as bl
assert "matplotlib" not in sys.modules
model = bl.load_model("sleepstudy")
fit = model.fit("reml")
"""
CELLS = {
    "bl.plot_shrinkage(model, fit)": 1,
    "bl.plot_shrinkage(model, fit);": 1,
    "bl.plot_fitted(model, fit)\nfit.sigma": 1,
    "import matplotlib.pyplot as plt\nbl.plot_ranef(fit)\nplt.show()": 1,
    "axes = bl.plot_fitted(model, fit)": 1,
    "axes[0].figure": 1,
    "bl.plot_ranef(fit)\nbl.plot_shrinkage(model, fit, coefs='Days')": 2,
    "for ellipses in (True, False):\n    bl.plot_shrinkage(model, fit, ellipses=ellipses)": 2,
    "figure, ax = plt.subplots()\nbl.plot_shrinkage(model, fit, ax=ax)": 1,
    "%matplotlib inline": 0,
    "bl.plot_ranef(fit, coefs='Days');": 1,
    "assert not plt.get_fignums()": 0,
}


def test_pictures_show_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HOME))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    sources = [START, *CELLS]
    v4 = nbformat.v4
    cells = [v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    notebook = v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [
        sum("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in notebook.cells
    ]
    assert dict(zip(sources, shown, strict=True)) == {START: 0, **CELLS}
