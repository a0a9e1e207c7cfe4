"""`python -m tests.fuzz START COUNT`: the seeds that end as they may not, and a count by kind."""

from __future__ import annotations

import sys
from collections import Counter

from tests.fuzz.formulas import case_of
from tests.fuzz.outcome import outcomes


def main(start: int, count: int) -> int:
    kinds: Counter[str] = Counter()
    wrong: set[int] = set()
    for seed in range(start, start + count):
        for outcome in outcomes(seed):
            kinds[outcome.kind] += 1
            if not outcome.allowed:
                wrong.add(seed)
                print(
                    f"{case_of(seed)}\n  {outcome.kind}, {outcome.stage}: {outcome.text}\n",
                    flush=True,
                )
    print(f"{dict(kinds)}\n{len(wrong)} of {count} seeds: {sorted(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
