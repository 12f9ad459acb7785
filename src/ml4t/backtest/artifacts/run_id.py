"""Names of run directories."""

import hashlib
from datetime import datetime

from ml4t.backtest.config import RUN_ID
from ml4t.backtest.errors import ArtifactError


def check_run_id(run_id: str) -> str:
    """Return `run_id` if it can name a directory on any system and cannot leave its root. Raises: ArtifactError."""
    if not RUN_ID.fullmatch(run_id):
        raise ArtifactError(
            f"{run_id!r} is not a run id: use 1 to 64 letters, digits, '.', '_' or '-', and not '.' or '..'."
        )
    return run_id


def new_run_id(created: datetime, content: str) -> str:
    """Return a run id that sorts by time: the UTC second and eight digits of the hash of what was run and when."""
    digest = hashlib.sha256(f"{created.isoformat()} {content}".encode()).hexdigest()
    return f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}"
