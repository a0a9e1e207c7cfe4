"""Other packages' runs, each in a process of its own interpreter, and their recorded figures."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Peer
from benchmarks.measure import process

HERE = Path(__file__).resolve().parent
SEED, CHAINS, QUICK_DRAWS = 1, 4, 200
WITH = ("bambi", "nutpie", "statsmodels")


@dataclass(frozen=True, slots=True)
class Settings:
    """How peers are run.

    Attributes
    ----------
    python : str or None
        An interpreter that has Bambi and statsmodels; None asks `uv run --with` for one.
    wanted : bool
        False: recorded figures only.
    quick : bool
    timeout : float
        Seconds a peer's process may take.
    """

    python: str | None
    wanted: bool
    quick: bool
    timeout: float


def run(case: Case, peer: Peer, rows: dict[str, Any], csv: Path, how: Settings) -> dict[str, Any]:
    """A peer's answers, `{"recorded": ...}` where it can't run, or why there are none.

    Returns
    -------
    dict
        Of a run: version, first_seconds, seconds, fixef, sd, peak_gib, note, and criterion, or
        ess and sampling_seconds. Of a figure: seconds and recorded, its source. Else: failed.
    """
    reason = "not asked for"
    if how.wanted:
        try:
            return _RUNNERS[peer.runner](case, peer, rows, csv, how)
        except Unavailable as error:
            reason = str(error)
    return _recorded(case, peer, reason, quick=how.quick)


class Unavailable(Exception):
    """The peer isn't on this machine, or didn't finish."""


def _recorded(case: Case, peer: Peer, reason: str, *, quick: bool) -> dict[str, Any]:
    """The figure of another machine; none for the small sizes of `--quick`."""
    with (HERE / "recorded.toml").open("rb") as file:
        figure = tomllib.load(file).get(case.name, {}).get(peer.name)
    if figure is None or quick:
        return {"failed": f"{peer.name}: {reason}"}
    seconds = {"seconds": [figure["seconds"]], "first_seconds": figure["seconds"]}
    return figure | seconds | {"recorded": figure["source"], "reason": reason}


def _lmer(case: Case, peer: Peer, rows: dict[str, Any], csv: Path, how: Settings) -> dict[str, Any]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        raise Unavailable("no R on this machine")
    derivatives = "yes" if peer.options.get("derivatives", True) else "no"
    command = [rscript, str(HERE / "scripts" / "lmer.R"), str(csv), case.formula]
    rest = [",".join(rows["categorical"]), derivatives, str(case.repeats), str(case.patience)]
    return _json_of(command + rest, how.timeout)


def _python(
    case: Case, peer: Peer, rows: dict[str, Any], csv: Path, how: Settings
) -> dict[str, Any]:
    settings = {
        "formula": case.formula,
        "categorical": rows["categorical"],
        "repeats": case.repeats,
        "patience": case.patience,
        "draws": QUICK_DRAWS if how.quick else case.draws,
        "chains": CHAINS,
        "seed": SEED,
    }
    script = HERE / "scripts" / f"{peer.runner}_fit.py"
    command = [*interpreter(how.python), str(script), str(csv)]
    return _json_of([*command, json.dumps(settings | dict(peer.options))], how.timeout)


@cache
def interpreter(python: str | None) -> tuple[str, ...]:
    """The words that start an interpreter with the peers in it."""
    if python is not None:
        return (python,)
    uv = shutil.which("uv")
    if uv is None:
        raise Unavailable("no --peer-python and no uv")
    extras = [word for name in WITH for word in ("--with", name)]
    return (uv, "run", "--no-project", *extras, "python")


def _json_of(command: list[str], timeout: float) -> dict[str, Any]:
    found, why = process(command, timeout)
    if found is None:
        raise Unavailable(why)
    return found


_RUNNERS = {"lmer": _lmer, "bambi": _python, "statsmodels": _python}
