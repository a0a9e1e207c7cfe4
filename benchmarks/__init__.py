"""Side by side with other packages: the same model, the same data, one run.

    uv run python -m benchmarks                     # everything; writes benchmarks/RESULTS.md
    uv run python -m benchmarks --list
    uv run python -m benchmarks --case sleepstudy-reml --case growth-slopes
    uv run python -m benchmarks --quick             # small sizes: does it run? says nothing more
    uv run python -m benchmarks --no-peers          # ours against recorded figures only

Every run of ours is a fresh process (`python -m benchmarks.worker CASE`), and so is every run
of a peer, on the same rows written out as CSV. A case is timed from the formula and the data
frame to the finished DataTree: the first call in the process, then repeats in the warm one.
Ratios use the median of the warm repeats; after a first call of more than five times the case's
patience there are none, and the first call counts. Peak memory is the largest resident size of
the whole process up to the end of the first call, its data and imports included (`before` is the
same just before that call).

**Peers.** Nothing here is a dependency of the project.

- lme4: where `Rscript` with lme4 is on the machine, `scripts/lmer.R` runs it. Where not, the
  ratio is against the figure in `recorded.toml`, with its source, and is marked `recorded`: it
  was measured on another machine, and says which order of magnitude to expect, no more.
- Bambi and statsmodels: run by the interpreter given as `--peer-python PATH`, or else by
  `uv run --no-project --with bambi --with nutpie --with statsmodels`. To make one by hand:
  `uv venv PEERS && uv pip install --python PEERS/bin/python bambi nutpie statsmodels`.

**Effective draws.** For ours the least bulk ESS over every variable of the posterior, capped by
`importance_ess`, the size that the importance weights allow (ArviZ can't see repeated draws).
For Bambi the least bulk ESS over its posterior.

**InstEval** is read from `tests/reference/data/InstEval.csv.gz`; its cases are skipped without it.

Files: `cases.py` is the register (what runs, against whom, and the bar), `data.py` builds the
rows, `ours.py` and `evaluation.py` call the library, `peers.py` and `scripts/` the others,
`report.py`, `tables.py` and `machine.py` say what came out. A new case is one entry in `cases.py`.
"""
