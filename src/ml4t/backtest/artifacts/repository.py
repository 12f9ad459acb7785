"""The git repository a strategy lives in."""

import subprocess
from pathlib import Path


def git_state(folder: Path) -> dict[str, str | bool] | None:
    """Return commit and whether tracked files differ from it, or None where `folder` is in no git repository."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder)]
    try:
        commit = subprocess.run(  # noqa: S603
            [*command, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
        status = subprocess.run(  # noqa: S603
            [*command, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}
