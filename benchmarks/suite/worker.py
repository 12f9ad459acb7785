"""One engine in a process of its own: answers "run" on stdin with one line of JSON on stdout.

Run by suite/race.py: python worker.py ENGINE WORK MARKET SMALL_MARKET [RULE]
"""

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FIRST = time.perf_counter()
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def memory(field: str) -> int:
    """Bytes of this process: VmRSS is now, VmHWM the most since `forget_peak`."""
    with Path("/proc/self/status").open() as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def forget_peak() -> None:
    """The most memory that was in use is what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(work: Any) -> dict[str, Any]:
    """One run: seconds on the clock and of the processor, memory at its peak over what was in use before, and what it came to."""
    gc.collect()
    forget_peak()
    before, wall, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    outcome = work()
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = memory("VmHWM") - before
    return {**seconds, "memory": peak, "fills": outcome.fills, "equity": outcome.equity, "metrics": outcome.metrics}


def main() -> None:
    """The protocol."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what engines print must not disturb the answers
    engine, work, path, small, *rule = sys.argv[1:]
    module, _, variant = engine.partition(":")
    start = time.perf_counter()
    from suite.market import read

    peer = importlib.import_module(f"peers.{module}")
    if variant:
        peer.choose(variant)
    make = peer.WORKS[work]
    imported = time.perf_counter() - start
    start = time.perf_counter()
    first = make(read(small), *rule)()
    ready = {"import": imported, "first": time.perf_counter() - start, "fills": first.fills, "equity": first.equity}
    del first
    run = make(read(path), *rule)
    gc.collect()
    answers.write(json.dumps(ready) + "\n")
    for line in sys.stdin:
        if line.strip() == "run":
            answers.write(json.dumps(measured(run)) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
