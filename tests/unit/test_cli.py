"""The command line: exit status, one-line errors, and what it writes."""

from __future__ import annotations

import io
import sys

import pytest

import bayeslmm as bl
from bayeslmm.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "sleepstudi"), "Did you mean 'sleepstudy'?"),
        (("fit", "pastes", "--method", "rml"), "Did you mean 'reml'?"),
        (("fit", "nowhere.toml"), "nowhere.toml"),
        (("fit", "pastes", "--variant", "nope"), "nope"),
        (("fit", "pastes", "--method", "reml", "--draws", "0"), "draws"),
    ],
)
def test_errors_are_one_line_and_status_one(arguments, words, capsys):
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error
    assert len(error.strip().splitlines()) == 1


def test_a_wrong_call_has_status_two(capsys):
    assert run("frobnicate") == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--debug", "fit", "sleepstudi"), ("fit", "sleepstudi", "--debug")]
)
def test_debug_shows_the_trace_wherever_it_stands(arguments, capsys):
    assert run(*arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_fit_prints_a_summary_and_writes_fit_and_tables(tmp_path, capsys):
    out = tmp_path / "new" / "results"
    main(["fit", "pastes", "--method", "reml", "--out", str(out)])
    assert "Restricted maximum likelihood" in capsys.readouterr().out
    fit = bl.load_fit(out / "fit.nc")
    assert fit.loglik == pytest.approx(-123.495372926743, abs=1e-4)
    assert {p.name for p in out.iterdir()} == {"fit.nc", "fixef.csv", "ranef.csv", "varcorr.csv"}


def test_conjugate_is_fitted_at_the_variances_of_reml(capsys):
    main(["fit", "dyestuff", "--method", "conjugate", "--seed", "1"])
    printed = capsys.readouterr().out
    assert "42.00" in printed and "given" in printed


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert run("fit", "pastes", "--method", "reml", "--out", str(taken)) == 1
    captured = capsys.readouterr()
    assert "can't be created" in captured.err
    assert captured.out == ""


def test_list_names_every_gallery_model(capsys):
    main(["list"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in bl.list_models())


def test_warnings_are_notes_on_standard_error(capsys):
    main(["fit", "dyestuff2", "--method", "ml"])
    assert "note: Singular fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is a folder"),
        (b"\xff\xfe\x00", "isn't valid TOML"),
        (b"title = [", "isn't valid TOML"),
        (b"[" * 5000, "model.toml"),
        (b"", "model.toml"),
    ],
)
def test_odd_model_files_are_one_line(content, words, tmp_path, capsys):
    path = tmp_path / "model.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert run("fit", str(path)) == 1
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("path", ["a\0b.toml", "\ud800.toml", "n" * 5000 + ".toml", "/"])
def test_odd_paths_are_one_line(path, capsys):
    assert run("fit", path) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1


def test_a_reader_that_leaves_and_a_closed_output_end_without_a_trace(monkeypatch, capsys):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with monkeypatch.context() as context:
        context.setattr("sys.stdout", Gone())
        context.setattr("os.dup2", lambda *_: None)  # the test's own output stays open
        assert run("list") == 1
    with monkeypatch.context() as context:
        context.setattr("sys.stdout", None)
        main(["list"])
        sys.stdout.close()
    assert "Traceback" not in capsys.readouterr().err
