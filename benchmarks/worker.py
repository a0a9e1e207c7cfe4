"""One run in a process of its own, reported as one line of JSON.

python -m benchmarks.worker run CASE POINT [--quick]
python -m benchmarks.worker write CASE POINT PATH [--quick]      # its rows as CSV, for peers
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks import ours
from benchmarks.case import Case
from benchmarks.cases import case
from benchmarks.data import Absent
from benchmarks.measure import peak_gib, stay_within_memory


def run(chosen: Case, point: str, quick: bool) -> dict[str, Any]:
    """Our run of one point."""
    return ours.run(chosen, chosen.point(point).build(quick), quick=quick)


def write(chosen: Case, point: str, path: str, quick: bool) -> dict[str, Any]:
    """The rows, so that a peer reads the same numbers."""
    data = chosen.point(point).build(quick)
    data.to_csv(path, index=False)
    return {"categorical": list(data.select_dtypes("category").columns), "rows": len(data)}


def main(arguments: list[str]) -> dict[str, Any]:
    """What was asked for, or why it can't be: `skipped` or `failed`."""
    words = [a for a in arguments if a != "--quick"]
    quick = "--quick" in arguments
    stay_within_memory()
    try:
        if words[0] == "run":
            return run(case(words[1]), words[2], quick)
        return write(case(words[1]), words[2], words[3], quick)
    except Absent as error:
        return {"skipped": str(error)}
    except Exception as error:  # a case that fails is a line in the table, not the end
        text = str(error).splitlines()[0] if str(error) else ""
        return {"failed": f"{type(error).__name__}: {text}", "peak_gib": peak_gib()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
