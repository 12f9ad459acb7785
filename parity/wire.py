"""The line between the laboratory and a peer's process: a case a line in, a book a line out. Standard library only."""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any


def serve(run_case: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Every case on stdin has been answered on stdout; the peer's own output goes to stderr."""
    answer, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            book = run_case(json.loads(line))
        except Exception as error:  # noqa: BLE001  # what the peer raises is part of the answer
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
            book = {"fills": [], "points": [], "orders": {}, "error": f"{type(error).__name__}: {error} ({where})"}
        answer.write(json.dumps(book) + "\n")
        answer.flush()
