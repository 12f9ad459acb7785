"""Writes run directories: whole, or not at all."""

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ml4t.backtest.artifacts.manifest import (
    CONFIG,
    MANIFEST,
    METRICS,
    FileRecord,
    InputRecord,
    Manifest,
    finite,
    installed_versions,
    json_bytes,
)
from ml4t.backtest.artifacts.repository import git_state
from ml4t.backtest.artifacts.run_id import check_run_id, new_run_id
from ml4t.backtest.errors import ArtifactError
from ml4t.backtest.summary import summary

if TYPE_CHECKING:
    import polars as pl

    from ml4t.backtest.feed import Input
    from ml4t.backtest.result import Result


def save(result: "Result", path: str | Path | None = None, *, inputs: bool = True) -> Path:
    """Return the run directory that now holds `result`; whoever looks sees all of it or nothing.

    - Without `path` it is `output.root`/`output.run_id`, or a new id of time and hash.
    - Data that was given in memory is stored too, unless `inputs` is false; then the run cannot be verified.
    - Nothing is ever overwritten, and a symbolic link is not followed.

    Raises: ArtifactError.
    """
    created = datetime.now(UTC)
    target = _target(result, path, created)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        try:
            _write_run(result, temporary, target.name, created, store_inputs=inputs)
            _replace(temporary, target)
        except BaseException:  # an interrupt must not leave half a run behind either
            _discard(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise ArtifactError(f"Cannot write the run directory {target}: {error.strerror or error}.") from error
    return target


def _target(result: "Result", path: str | Path | None, created: datetime) -> Path:
    output = result.config.output
    if path is None:
        run_id = output.run_id or new_run_id(created, result.config.to_toml() + repr(result.strategy))
        path = Path(output.root) / check_run_id(run_id)
    path = Path(path)
    check_run_id(path.name or str(path))
    target = path.parent.resolve() / path.name
    if os.path.lexists(target):
        kind = "is a symbolic link" if target.is_symlink() else "exists already"
        raise ArtifactError(f"{target} {kind}; runs are never overwritten. Choose another name or remove it.")
    return target


def _write_run(result: "Result", folder: Path, run_id: str, created: datetime, *, store_inputs: bool) -> None:
    artifacts = {name: _record(folder / name, content) for name, content in contents(result)}
    inputs = [_input_record(source, folder, store=store_inputs) for source in result.inputs]
    manifest = _manifest(result, run_id, created, inputs, artifacts)
    _write(folder / MANIFEST, manifest.to_json())
    _sync_folder(folder)


def contents(result: "Result") -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every artifact that a second run must reproduce exactly."""
    yield CONFIG, result.config.to_toml().encode()
    yield METRICS, json_bytes(finite(result.metrics))
    for name, frame in result.frames().items():
        yield f"{name}.parquet", parquet_bytes(frame)


def parquet_bytes(frame: "pl.DataFrame") -> bytes:
    """Return the frame as Parquet: the same rows give the same bytes, however the frame was built from chunks."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(
        buffer, compression="zstd", compression_level=3, statistics=True, row_group_size=1 << 19
    )
    return buffer.getvalue()


def _manifest(
    result: "Result",
    run_id: str,
    created: datetime,
    inputs: list[InputRecord],
    artifacts: dict[str, FileRecord],
) -> Manifest:
    import platform  # reason: slow to import, needed only here

    folder = result.strategy.folder
    return Manifest(
        run_id=run_id,
        status=result.status,
        error=result.error,
        created=created.isoformat(),
        seed=result.config.run.seed,
        strategy=result.strategy,
        models=list(result.models),
        inputs=inputs,
        artifacts=artifacts,
        versions=installed_versions(),
        platform={"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        git=git_state(Path(folder)) if folder else None,
        leaky=list(result.config.leaky_rules()),
        warnings=list(summary(result).warnings),
    )


def _input_record(source: "Input", folder: Path, *, store: bool) -> InputRecord:
    stored, file, path = None, None, None
    if source.path is not None:
        path = Path(source.path).resolve()
        file = FileRecord(sha256=source.sha256, size=path.stat().st_size)
    elif store and source.frame is not None:
        stored = f"inputs/{source.name}.parquet"
        (folder / "inputs").mkdir(exist_ok=True)
        file = _record(folder / stored, parquet_bytes(source.frame))
        _sync_folder(folder / "inputs")
    return InputRecord(
        name=source.name,
        kind=source.kind,
        path=None if path is None else str(path),
        stored=stored,
        file=file,
        sha256=source.sha256,
        rows=source.rows,
        counts=source.counts,
        label=source.label,
        frequency_ns=source.frequency_ns,
        timezone=source.timezone,
        first=source.first,
        last=source.last,
        warnings=list(source.warnings),
    )


def _record(path: Path, content: bytes) -> FileRecord:
    _write(path, content)
    return FileRecord(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _write(path: Path, content: bytes) -> None:
    """The file is on disk, not only in memory. Every file of a run passes here, so tests can make it fail."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _replace(temporary: Path, target: Path) -> None:
    """The finished run gets its name. Fails where another process was first: a directory with files is not replaced."""
    temporary.rename(target)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # other systems cannot open a directory
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _discard(temporary: Path) -> None:
    shutil.rmtree(temporary, ignore_errors=True)
