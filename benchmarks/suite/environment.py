"""The interpreters that run the engines: ours, and one environment a peer with the versions of `benchmarks/environments/<peer>.txt`."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the parity laboratory makes and keeps the environments

from parity import environment  # noqa: E402

PINS = ROOT / "benchmarks" / "environments"
OURS = "ours"
VERSIONS = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def python_of(engine: str) -> Path:
    """The interpreter of an engine, "peer" or "peer:variant"; its environment exists now."""
    peer = engine.partition(":")[0]
    return Path(sys.executable) if peer == OURS else environment.python_of(peer, PINS)


def versions(peer: str) -> dict[str, str]:
    """What the environment of a peer pins, and what most engines stand on, as installed."""
    names = ["ml4t-backtest", "polars"]
    if peer != OURS:
        lines = environment.requirements(peer, PINS).read_text().splitlines()
        names = [line.partition("==")[0].partition("[")[0] for line in lines if line and not line.startswith("#")]
    command = [str(python_of(peer)), "-c", VERSIONS, *dict.fromkeys([*names, "numpy", "numba", "pandas"])]
    found: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found
