"""One isolated environment per peer, built from the versions pinned in `environments/<peer>.txt` and reused while they are the same."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "environments"


class BuildError(RuntimeError):
    """The environment of a peer could not be built; the message holds what pip said."""


def peers() -> list[str]:
    """Every peer that has pinned versions."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def home() -> Path:
    """Where environments are kept: $ML4T_PARITY_ENVIRONMENTS, else the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(os.environ.get("ML4T_PARITY_ENVIRONMENTS", cache / "ml4t-backtest" / "parity"))


def requirements(peer: str, pins: Path = FOLDER) -> Path:
    """The file of pinned versions in a folder of them. Raises KeyError for a peer that has none."""
    path = pins / f"{peer}.txt"
    if not path.exists():
        raise KeyError(f"no peer {peer!r}; there are {', '.join(sorted(file.stem for file in pins.glob('*.txt')))}")
    return path


def version(peer: str) -> str:
    """The pinned version of the peer itself: the first line of its file that a comment does not start, by the peer's own name."""
    names = {"backtesting_py": "backtesting", "zipline": "zipline-reloaded"}
    wanted = names.get(peer, peer)
    for line in requirements(peer).read_text().splitlines():
        name, _, number = line.partition("==")
        if name.strip().lower() == wanted:
            return number.strip()
    raise KeyError(f"{requirements(peer)} pins no {wanted}")


def python_of(peer: str, pins: Path = FOLDER) -> Path:
    """The interpreter of the peer's environment, which exists now. Raises BuildError with pip's words where it cannot be built."""
    pinned = requirements(peer, pins).read_text()
    digest = hashlib.sha256(f"{sys.version_info[:2]}\n{pinned}".encode()).hexdigest()[:12]
    folder = home() / f"{peer}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _called([sys.executable, "-m", "venv", str(folder)], peer)
    install = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    _called([str(python), *install, "-r", str(requirements(peer, pins))], peer)
    (folder / "complete").write_text(pinned)
    return python


def _called(command: list[str], peer: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"the environment of {peer} could not be built: {' '.join(command)}\n{done.stderr}")
