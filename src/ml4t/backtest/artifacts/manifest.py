"""The manifest: what was run, on what, with which versions, and the hash of every file of the run directory."""

import hashlib
import json
import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ml4t.backtest.errors import ArtifactError
from ml4t.backtest.model_source import ModelSource
from ml4t.backtest.source import StrategySource
from ml4t.backtest.source_file import package_digest

SCHEMA: Literal[1] = 1
MANIFEST = "manifest.json"
CONFIG = "config.toml"
METRICS = "metrics.json"
# A run directory may come from a stranger: no name in its manifest leads out of it.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
StoredName = Annotated[str, StringConstraints(pattern=r"^inputs/[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
_PACKAGES = ("numpy", "numba", "llvmlite", "polars", "ml4t-backtest")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """A file of the run directory as it was written; `size` in bytes."""

    sha256: str
    size: int


class InputRecord(_Record):
    """One input and what was done to it; its fields are those of the feed's `Input`.

    `sha256` is that of the file at `path`, or of the values of a frame given in memory, whose copy is then in `stored`.
    """

    name: str
    kind: str
    path: str | None
    stored: StoredName | None
    file: FileRecord | None
    sha256: str
    rows: int
    counts: dict[str, int]
    label: str
    frequency_ns: int | None
    timezone: str
    first: str
    last: str
    warnings: list[str]


class Manifest(_Record):
    """Everything known about a run besides its numbers. `created` and `git` tell when and where, not what."""

    schema_version: Literal[1] = SCHEMA
    run_id: str
    status: Annotated[str, StringConstraints(pattern="^(complete|failed)$")]
    error: str | None
    created: str
    seed: int
    strategy: StrategySource
    models: list[ModelSource] = []
    inputs: list[InputRecord]
    artifacts: dict[FileName, FileRecord]
    versions: dict[str, str]
    platform: dict[str, str]
    git: dict[str, str | bool] | None
    leaky: list[str]
    warnings: list[str]

    def to_json(self) -> bytes:
        """Return the manifest as JSON that ends with a checksum of itself, so that no byte of it can change unseen."""
        content = self.model_dump(mode="json")
        return json_bytes(content | {"checksum": _checksum(content)}, sort=False)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run directory. Raises: ArtifactError when there is none, or not as it was written."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is not a run directory: it does not exist or is not a directory.")
    if not path.is_file():
        raise ArtifactError(f"{folder} is not a complete run: it has no {MANIFEST}.")
    try:
        content = json.loads(path.read_bytes())
        checksum = content.pop("checksum", None)
        if checksum != _checksum(content):
            raise ArtifactError(f"{path} was changed after it was written: its checksum does not match its content.")
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{path}: {where}: {first['msg']}. Was it written by another version?") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # not JSON, not UTF-8, not an object
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{path} is not a manifest: {error}.") from error


def installed_versions() -> dict[str, str]:
    """Return the versions that can change a result. The engine's sources count by their hash, too."""
    import platform  # reason: slow to import, needed only here

    return (
        {"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES}
        | {"ml4t-backtest sources": package_digest()[:16]}
    )


def json_bytes(content: object, *, sort: bool = True) -> bytes:
    """Return strict JSON, one value a line. Raises: ValueError on NaN and infinities, which JSON does not have."""
    return (json.dumps(content, indent=2, sort_keys=sort, ensure_ascii=False, allow_nan=False) + "\n").encode()


def finite(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return `metrics` with None in place of NaN and infinities."""
    return {name: v if not isinstance(v, float) or math.isfinite(v) else None for name, v in metrics.items()}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(content: object) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()
