"""The command line: the demonstration, fitting a model file, the gallery."""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import click
import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from bayeslmm.api import Fit, Model
from bayeslmm.api.choices import Method
from bayeslmm.api.show import format_number
from bayeslmm.compare import agreement, compare_fits, say_agreement
from bayeslmm.engines import ENGINES
from bayeslmm.errors import BayeslmmError, BayeslmmWarning, FileError
from bayeslmm.files import write
from bayeslmm.gallery import list_models, load_model, read_model
from bayeslmm.plots import plot_fitted, plot_ranef, plot_shrinkage

FILE_WIDTH = 100
DEMO_LABELS = {"reml": "REML/BLUP", "conjugate": "closed form", "exact": "exact", "nuts": "NUTS"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.version_option(package_name="bayeslmm")
def cli(debug: bool) -> None:
    """Mixed models by REML/BLUP, closed-form posterior, exact posterior and PyMC."""


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("bayeslmm-demo"),
              show_default=True, help="Folder for the pictures.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True)
def demo(out: Path, seed: int) -> None:
    """Fit the sleepstudy data by all four methods, side by side, with pictures."""
    console = _console()
    _make_folder(out)
    model = load_model("sleepstudy")
    console.print(
        f"[bold]{model.formula}[/bold]  (18 drivers, 10 days without enough sleep each)\n"
    )
    fits = _demo_fits(console, model, seed)
    console.print()
    console.print(_side_by_side(compare_fits({DEMO_LABELS[k]: f for k, f in fits.items()})))
    _print_agreement(console, fits)
    _write_pictures(console, model, fits, out)


def _demo_fits(console: Console, model: Model, seed: int) -> dict[str, Fit]:
    fits: dict[str, Fit] = {}
    steps: dict[str, tuple[str, dict[str, Any]]] = {
        "reml": ("REML, BLUE and BLUP", {}),
        "conjugate": ("closed-form posterior at REML's variances, flat beta", {"kappa": 0}),
        "exact": ("exact posterior, no Markov chain", {"seed": seed}),
        "nuts": ("PyMC, NUTS (compiles first: minutes on a new machine)", {"seed": seed}),
    }
    for method, (label, options) in steps.items():
        if method == "conjugate":
            options = options | {"variances": fits["reml"], "seed": seed}
        with _timed(console, label):
            fits[method] = model.fit(cast(Method, method), **options)
    return fits


def _console() -> Console:
    """The width of a terminal, or a width for all tables if output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {str(path)!r} can't be created", got=error.strerror) from error


@contextmanager
def _timed(console: Console, label: str) -> Iterator[None]:
    """A spinner with the label of the task, then a line with its run time."""
    start = perf_counter()
    with console.status(f"{label} …"):
        yield
    console.print(f"  [green]✓[/green] {label}: {perf_counter() - start:.2f} s", highlight=False)


def _side_by_side(table: pd.DataFrame) -> Table:
    title = "Estimate ± standard error, or posterior mean ± sd"
    out = Table("", title=title, title_justify="left", box=box.SIMPLE_HEAD)
    names = list(dict.fromkeys(column[0] for column in table.columns))
    for name in names:
        out.add_column(name, justify="right")
    for key, row in table.iterrows():
        kind, group, coef = map(str, key if isinstance(key, tuple) else (key, "", ""))
        label = " ".join(part for part in (group, kind, coef) if part)
        out.add_row(label, *(_pair(row, name) for name in names))
    return out


def _pair(row: Any, name: str) -> str:
    spread = row[(name, "std_error")]
    given = pd.isna(spread) or spread == 0  # a variance that was given, not estimated
    text = format_number(row[(name, "estimate")], spread)
    return f"{text} (given)" if given else f"{text} ± {format_number(spread, spread)}"


def _print_agreement(console: Console, fits: dict[str, Fit]) -> None:
    gap = (fits["conjugate"].coef()["estimate"] - fits["reml"].coef()["estimate"]).abs().max()
    found = agreement({"exact": fits["exact"], "NUTS": fits["nuts"]}, effects="all")
    console.print(
        f"\nClosed form (kappa = 0) against BLUP, all drivers' coefficients: differences below "
        f"{gap:.0e}.\nExact against NUTS: {say_agreement(found)}",
        highlight=False,
    )


def _write_pictures(console: Console, model: Model, fits: dict[str, Fit], out: Path) -> None:
    shown = {DEMO_LABELS[method]: fits[method] for method in ("reml", "exact")}
    pictures: dict[str, Any] = {
        "shrinkage": plot_shrinkage(model, shown),
        "fitted": plot_fitted(model, shown),
        "ranef": plot_ranef(fits["exact"]),
    }
    for name, axes in pictures.items():
        picture = io.BytesIO()
        np.ravel(axes)[0].figure.savefig(picture, dpi=150)
        write(out / f"{name}.png", picture.getvalue(), "The picture")
    paths = ", ".join(str(out / f"{name}.png") for name in pictures)
    console.print(f"\nPictures: {paths}", highlight=False, soft_wrap=True)


@cli.command()
@click.argument("model_file")
@click.option("--method", default="auto", show_default=True,
              help=f"auto, {', '.join(ENGINES)}.")  # fmt: skip
@click.option("--variant", default=None, help="A variant in the model file.")
@click.option("--seed", type=int, default=None)
@click.option("--draws", type=int, default=1000, show_default=True)
@click.option("--chains", type=int, default=4, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None,
              help="Folder for fit.nc and the tables as CSV.")  # fmt: skip
def fit(
    model_file: str,
    method: str,
    variant: str | None,
    seed: int | None,
    draws: int,
    chains: int,
    out: Path | None,
) -> None:
    """Fit MODEL_FILE (a TOML file, or a gallery name) and print its summary.

    Method conjugate is fitted at REML's variances.
    """
    console = _console()
    if out is not None:
        _make_folder(out)  # before the work, not after it
    model = load_model(model_file, variant)
    options: dict[str, Any] = {"seed": seed, "draws": draws, "chains": chains}
    if method == "conjugate":
        with _timed(console, "REML, for the variances"):
            options["variances"] = model.fit("reml")
    with _timed(console, f"{model.formula} by {method}"):
        result = model.fit(cast(Method, method), **options)
    console.print(str(result.summary()), highlight=False, markup=False)
    if out is not None:
        _write_fit(result, out)
        console.print(
            f"\nWritten to {out}: fit.nc, fixef.csv, ranef.csv, varcorr.csv", highlight=False
        )


def _write_fit(result: Fit, out: Path) -> None:
    result.save(out / "fit.nc")
    tables = {
        "fixef": result.fixef().to_csv(),
        "ranef": result.ranef().to_csv(index=False),
        "varcorr": result.varcorr().to_csv(index=False),
    }
    for name, text in tables.items():
        write(out / f"{name}.csv", text.encode(errors="backslashreplace"), "The table")


@cli.command(name="list")
def list_command() -> None:
    """List the models of the gallery."""
    table = Table("name", "formula", "title", "variants", box=box.SIMPLE_HEAD)
    for name in list_models():
        file = read_model(name)
        table.add_row(name, str(file.keywords["formula"]), file.title, ", ".join(file.variants))
    _console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit 0 when all went well, 1 with one line for an error of ours,
    2 for a wrong call."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _open_streams()
    debug = "--debug" in given
    given = [word for word in given if word != "--debug"]  # before or after the command
    console = Console(stderr=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", BayeslmmWarning)
            warnings.showwarning = lambda message, *_, **__: console.print(
                f"note: {message}", style="yellow", highlight=False, markup=False, soft_wrap=True
            )
            cli.main(args=given, prog_name="bayeslmm", standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (BayeslmmError, OSError) as error:
        if debug:
            traceback.print_exc()
        console.print(
            f"error: {_one_line(error)}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        raise SystemExit(1) from None


def _open_streams() -> None:
    """A program may be started with its output closed (``>&-``): what it prints goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _one_line(error: Exception) -> str:
    """The first paragraph, on one line: a caret under a formula doesn't survive that."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


if __name__ == "__main__":
    main()
