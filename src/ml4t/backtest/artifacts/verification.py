"""Runs a saved run again and says whether every artifact is the same, byte for byte, or what changed."""

import hashlib
import io
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml4t.backtest.artifacts.difference import first_difference
from ml4t.backtest.artifacts.manifest import CONFIG, MANIFEST, InputRecord, Manifest, file_sha256, installed_versions
from ml4t.backtest.artifacts.outcome import Finding, Outcome, Verification
from ml4t.backtest.artifacts.saved_run import SavedRun, file_problem, load_run
from ml4t.backtest.artifacts.store import contents
from ml4t.backtest.errors import ArtifactError, BacktestError
from ml4t.backtest.model_source import FEE_TABLE, ModelSource
from ml4t.backtest.source import load_strategy
from ml4t.backtest.source_file import source_hashes

if TYPE_CHECKING:
    from ml4t.backtest.result import Result


def rerun(manifest: Manifest, folder: Path) -> "Result":
    """Return the result of running again what a manifest describes. Executes the strategy it names."""
    import ml4t.backtest as engine  # reason: a cycle otherwise, and only this function needs the engine

    strategy = manifest.strategy
    cls = load_strategy(strategy.name, strategy.folder or folder)
    data: dict[str, Any] = {record.name: _location(record, folder) for record in manifest.inputs}
    bars = data.pop("bars")
    signals, finer = data.pop("signals", None), data.pop("finer", None)
    # Not as a path: what is relative in a config file is relative to its folder, and was settled before the run.
    config = tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))
    try:
        return engine.run(
            cls(**strategy.parameters), bars, config=config, signals=signals, streams=data or None, finer=finer
        )
    except BacktestError as error:  # a failed run is verified up to the bar where it failed
        if error.result is None:
            raise
        partial: Result = error.result
        return partial


def verify(path: str | Path, rerun: Callable[[Manifest, Path], "Result"] = rerun) -> Verification:
    """Return whether running a saved run again gives the same bytes, or what changed since.

    The files on disk are checked first; the strategy is run again only if data, source and configuration are as they
    were. Other versions of the packages are a finding only if the result differs.

    Raises: ArtifactError when `path` is not a run directory.
    """
    folder = Path(path).resolve()
    try:
        run = load_run(folder)
    except ArtifactError as error:
        if not (folder / MANIFEST).is_file():
            raise
        return _verification([Finding(Outcome.ARTIFACT_CHANGED, MANIFEST, f"cannot be trusted: {error}")])
    findings = [*_artifacts(run), *_data(run), *_source(run.manifest)] or list(_obstacles(run.manifest))
    versions = list(_versions(run.manifest))
    if findings:
        return _verification(findings, versions)
    try:
        differing = list(_differences(run, rerun(run.manifest, folder)))
    except BacktestError as error:
        differing = [Finding(Outcome.RESULT_DIFFERS, "The run", f"could not be repeated: {error}")]
    if differing and versions:
        return _verification([*versions, *differing])
    return _verification(differing, versions)


def _verification(findings: list[Finding], notes: list[Finding] | None = None) -> Verification:
    outcome = min((finding.outcome for finding in findings), default=Outcome.IDENTICAL)
    return Verification(outcome, tuple(findings), tuple(f"note: {note}" for note in notes or ()))


def _artifacts(run: SavedRun) -> Iterator[Finding]:
    for name, problem in run.changed_artifacts().items():
        yield Finding(Outcome.CONFIG_CHANGED if name == CONFIG else Outcome.ARTIFACT_CHANGED, name, problem)


def _data(run: SavedRun) -> Iterator[Finding]:
    for record in run.manifest.inputs:
        location = _location(record, run.folder)
        problem = file_problem(location, record.file) if location and record.file else None
        if problem:
            yield Finding(Outcome.DATA_CHANGED, record.name, f"({location}) {problem}")
    for table in _fee_tables(run.manifest):
        path = Path(table.file or "")
        if not path.is_file():
            yield Finding(Outcome.DATA_CHANGED, "The fee table", f"({path}) is missing")
        elif file_sha256(path) != table.sha256:
            yield Finding(Outcome.DATA_CHANGED, "The fee table", f"({path}) is not the file that was read")


def _fee_tables(manifest: Manifest) -> list[ModelSource]:
    return [model for model in manifest.models if model.role == FEE_TABLE]


def _source(manifest: Manifest) -> Iterator[Finding]:
    strategy = manifest.strategy
    if strategy.file is None or strategy.folder is None:
        return
    folder = Path(strategy.folder)
    try:
        now = source_hashes(strategy.file, folder)
    except (OSError, ValueError) as error:
        yield Finding(Outcome.SOURCE_CHANGED, strategy.file, f"cannot be read: {error}")
        return
    for name in sorted(strategy.sources.keys() | now.keys()):
        if name not in now:
            yield Finding(Outcome.SOURCE_CHANGED, str(folder / name), "is no longer there, or no longer imported")
        elif name not in strategy.sources:
            yield Finding(Outcome.SOURCE_CHANGED, str(folder / name), "is imported now and was not then")
        elif now[name] != strategy.sources[name]:
            yield Finding(Outcome.SOURCE_CHANGED, str(folder / name), "was edited since the run")


def _obstacles(manifest: Manifest) -> Iterator[Finding]:
    strategy = manifest.strategy
    if not strategy.verifiable:
        yield Finding(Outcome.CANNOT_VERIFY, "The strategy", f"cannot be loaded again: {strategy.reason}")
    for model in manifest.models:
        if model.role != FEE_TABLE:
            how = f"{model.name} was given to run() as a function; run again with it and compare the results"
            yield Finding(Outcome.CANNOT_VERIFY, f"The {model.role.replace('_', ' ')} model", how)
    for record in manifest.inputs:
        if record.file is None:
            how = "was given in memory and not stored; save with inputs=True"
            yield Finding(Outcome.CANNOT_VERIFY, f"Input {record.name}", how)


def _versions(manifest: Manifest) -> Iterator[Finding]:
    now = installed_versions()
    for name in manifest.versions.keys() | now.keys():
        old, new = manifest.versions.get(name), now.get(name)
        if old != new:
            yield Finding(Outcome.VERSIONS_CHANGED, name, f"{old} → {new}")


def _differences(run: SavedRun, result: "Result") -> Iterator[Finding]:
    import polars as pl  # reason: diagnoses that need no second run start faster without it

    seen = set()
    for name, content in contents(result):
        seen.add(name)
        record = run.manifest.artifacts.get(name)
        if record and record.sha256 == hashlib.sha256(content).hexdigest():
            continue
        how = "differs"
        if record and name.endswith(".parquet"):
            difference = first_difference(
                run.frame(name.removesuffix(".parquet")), pl.read_parquet(io.BytesIO(content))
            )
            how = f"differs: {difference}" if difference else "has the same values in other bytes"
        yield Finding(Outcome.RESULT_DIFFERS, name, how)
    for name in run.manifest.artifacts.keys() - seen:
        yield Finding(Outcome.RESULT_DIFFERS, name, "is not written any more")


def _location(record: InputRecord, folder: Path) -> Path | None:
    if record.stored:
        return folder / record.stored
    return Path(record.path) if record.path else None
