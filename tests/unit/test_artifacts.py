"""Run directories: whole or absent, deterministic, read without user code, and verified with the right diagnosis."""

import json
import math
import os
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import run
from ml4t.backtest.artifacts import (
    Outcome,
    SavedRun,
    Verification,
    check_run_id,
    compare,
    load_run,
    save,
    store,
    verification,
    verify,
)
from ml4t.backtest.artifacts.difference import first_difference
from ml4t.backtest.artifacts.repository import git_state
from ml4t.backtest.artifacts.run_id import new_run_id
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.errors import ArtifactError, StrategyError
from ml4t.backtest.source import StrategySource, describe, load_strategy

STRATEGY = """
from ml4t.backtest.strategy import Strategy
from plan import OFFSET

class Scale(Strategy):
    factor: int = 2
"""
ORDERS = {"symbol": pl.String, "state": pl.String, "reason": pl.String}


@dataclass
class FakeResult:
    """What `save` reads of a result; the numbers are prices times the strategy's factor."""

    strategy: StrategySource
    config: BacktestConfig
    inputs: tuple[Any, ...]
    equity: pl.DataFrame
    metrics: dict[str, Any] = field(default_factory=lambda: {"sharpe": 1.25, "calmar": math.nan, "trades": 3})
    status: str = "complete"
    error: str | None = None
    leaky: tuple[str, ...] = ()
    models: tuple[Any, ...] = ()
    orders: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ORDERS))
    positions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame({"symbol": ["A"], "stale_marks": [0]}))

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"orders": self.orders, "positions": self.positions, "equity": self.equity}


def fake_input(source: Path | pl.DataFrame, frame: pl.DataFrame) -> Any:
    return SimpleNamespace(
        name="bars",
        kind="bars",
        path=str(source) if isinstance(source, Path) else None,
        frame=None if isinstance(source, Path) else frame,
        sha256=sha256(source.read_bytes() if isinstance(source, Path) else str(frame).encode()).hexdigest(),
        rows=frame.height,
        counts={"missing": 2},
        label="session",
        frequency_ns=None,
        timezone="UTC",
        first="2020-01-01",
        last="2020-01-03",
        warnings=(),
    )


def fake_run(folder: Path, source: Path | pl.DataFrame, config: Any = None) -> FakeResult:
    strategy = load_strategy("strategy:Scale", folder)()
    frame = pl.read_parquet(source) if isinstance(source, Path) else source
    equity = frame.select(equity=pl.col("close") * strategy.factor)
    return FakeResult(describe(strategy), BacktestConfig.load(config), (fake_input(source, frame),), equity)


def fake_rerun(manifest: Any, folder: Path) -> FakeResult:
    (record,) = manifest.inputs
    config = load_run(folder).config
    if record.path:
        return fake_run(Path(manifest.strategy.folder), Path(record.path), config)
    return fake_run(Path(manifest.strategy.folder), pl.read_parquet(folder / record.stored), config)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "strategy.py").write_text(STRATEGY)
    (tmp_path / "plan.py").write_text("OFFSET = 1\n")
    pl.DataFrame({"close": [1.0, 2.0, 3.0]}).write_parquet(tmp_path / "bars.parquet")
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in (getattr(module, "__file__", None) or ""):  # and nothing else: libraries do not load twice
            del sys.modules[name]


@pytest.fixture
def result(folder):
    return fake_run(folder, folder / "bars.parquet")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_run_directory_holds_everything_and_its_hashes(folder, result):
    path = save(result, folder / "runs" / "first")
    assert path == folder / "runs" / "first"
    written = ["config.toml", "equity.parquet", "manifest.json", "metrics.json", "orders.parquet", "positions.parquet"]
    assert names(path) == written
    manifest = json.loads((path / "manifest.json").read_text())
    assert sorted(manifest["artifacts"]) == [name for name in written if name != "manifest.json"]
    for name, record in manifest["artifacts"].items():
        content = (path / name).read_bytes()
        assert record == {"sha256": sha256(content).hexdigest(), "size": len(content)}
    assert manifest["run_id"] == "first"
    assert manifest["strategy"]["parameters"] == {"factor": 2}
    assert set(manifest["strategy"]["sources"]) == {"strategy.py", "plan.py"}
    data = (folder / "bars.parquet").read_bytes()
    assert manifest["inputs"][0]["path"] == str(folder / "bars.parquet")
    assert manifest["inputs"][0]["file"] == {"sha256": sha256(data).hexdigest(), "size": len(data)}
    assert manifest["inputs"][0]["counts"] == {"missing": 2}
    assert {"python", "numpy", "numba", "llvmlite", "polars", "ml4t-backtest"} <= manifest["versions"].keys()
    assert any("missing" in warning for warning in manifest["warnings"])
    assert manifest["git"] is None


def test_a_saved_run_reads_back_without_the_strategy(folder, result):
    path = save(result, folder / "first")
    (folder / "strategy.py").write_text("raise RuntimeError('imported')")
    run = load_run(path, check=True)
    assert run.metrics == {"sharpe": 1.25, "calmar": None, "trades": 3}
    assert run.frame_names == ["orders", "positions", "equity"]
    assert run.frame("equity")["equity"].to_list() == [2.0, 4.0, 6.0]
    assert run.frames().keys() == {"orders", "positions", "equity"}
    assert run.config == result.config
    assert (run.status, run.strategy.name) == ("complete", "strategy:Scale")
    with pytest.raises(ArtifactError, match=r"no frame 'equitty'. Did you mean 'equity'"):
        run.frame("equitty")


def test_the_same_result_gives_the_same_bytes_however_it_is_chunked(folder, result):
    parts = [result.equity.slice(row, 1) for row in range(3)]
    first = save(result, folder / "first")
    second = save(replace(result, equity=pl.concat(parts, rechunk=False)), folder / "second")
    for name in names(first):
        if name != "manifest.json":
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_git_commit_and_changes_are_recorded(folder):
    for command in (
        ["init", "-q"],
        ["add", "strategy.py"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        assert os.spawnlp(os.P_WAIT, "git", "git", "-C", str(folder), *command) == 0
    state = git_state(folder)
    assert state is not None
    assert (len(str(state["commit"])), state["dirty"]) == (40, False)
    (folder / "strategy.py").write_text("# edited\n")
    edited = git_state(folder)
    assert edited is not None
    assert edited["dirty"] is True


def test_the_default_place_is_the_configured_root_and_a_new_id(folder, result):
    config = result.config.model_copy(update={"output": result.config.output.model_copy(update={"root": folder / "r"})})
    first, second = save(replace(result, config=config)), save(replace(result, config=config))
    assert first.parent == second.parent == folder / "r"
    assert first != second
    assert check_run_id(first.name) == first.name


def test_new_run_ids_sort_by_time():
    moments = [datetime(2026, 11, 22, 9, 5, second, tzinfo=UTC) for second in (1, 2, 10)]
    ids = [new_run_id(moment, "x") for moment in moments]
    assert ids == sorted(ids)
    assert ids[0].startswith("20261122T090501Z-")
    assert new_run_id(moments[0], "y") != ids[0]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/x", "a b", "ä", "x\n", "x\0", "a" * 65, "a\\b", "*"])
def test_a_bad_run_id_is_refused(name):
    with pytest.raises(ArtifactError, match="is not a run id"):
        check_run_id(name)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "...", ".hidden", "a" * 64])
def test_a_good_run_id_is_accepted(name):
    assert check_run_id(name) == name


def test_nothing_is_overwritten_and_no_link_followed(folder, result):
    (folder / "there").mkdir()
    (folder / "file").write_text("mine")
    (folder / "elsewhere").mkdir()
    (folder / "link").symlink_to(folder / "elsewhere")
    (folder / "dangling").symlink_to(folder / "nowhere")
    for name in ("there", "file", "link", "dangling"):
        with pytest.raises(ArtifactError, match="never overwritten"):
            save(result, folder / name)
    assert (folder / "file").read_text() == "mine"
    assert names(folder / "elsewhere") == []
    assert not (folder / "nowhere").exists()


def test_of_two_writers_of_one_id_one_wins(folder, result, monkeypatch):
    replace_ = store._replace

    def other_first(temporary, target):
        monkeypatch.setattr(store, "_replace", replace_)
        save(result, target)
        replace_(temporary, target)

    monkeypatch.setattr(store, "_replace", other_first)
    with pytest.raises(ArtifactError, match="Cannot write the run directory"):
        save(result, folder / "runs" / "first")
    assert [path.name for path in (folder / "runs").iterdir()] == ["first"]
    assert load_run(folder / "runs" / "first", check=True)


WRITES = 6  # config, metrics, three frames, manifest


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("seam", [*range(WRITES), "_replace"])
def test_a_failure_at_any_write_leaves_nothing(folder, result, monkeypatch, seam, error):
    fail_at(monkeypatch, seam, error)
    expected = ArtifactError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save(result, folder / "runs" / "first")
    assert list((folder / "runs").iterdir()) == []


@pytest.mark.parametrize("seam", [*range(WRITES), "_replace"])
def test_after_a_kill_at_any_write_no_reader_takes_the_rest_for_a_run(folder, result, monkeypatch, seam):
    monkeypatch.setattr(store, "_discard", lambda path: None)  # a killed process cleans nothing up
    fail_at(monkeypatch, seam, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        save(result, folder / "runs" / "first")
    (left,) = (folder / "runs").iterdir()
    assert left.name.startswith(".first.")
    assert left.name.endswith(".tmp")
    if seam != "_replace":  # before the last step there is no whole manifest either
        with pytest.raises(ArtifactError, match=r"no manifest\.json|not a manifest"):
            load_run(left)
    monkeypatch.undo()
    assert load_run(save(result, folder / "runs" / "first"), check=True)


def fail_at(monkeypatch, seam, error):
    write, count = store._write, iter(range(100))

    def failing_write(path, content):
        if next(count) == seam:
            path.write_bytes(content[: len(content) // 2])
            raise error
        write(path, content)

    def failing_replace(temporary, target):
        raise error

    monkeypatch.setattr(store, "_write", failing_write)
    if seam == "_replace":
        monkeypatch.setattr(store, "_replace", failing_replace)


def test_the_number_of_writes_is_what_the_fault_tests_assume(folder, result, monkeypatch):
    written, write = [], store._write
    monkeypatch.setattr(store, "_write", lambda path, content: (written.append(path.name), write(path, content)))
    save(result, folder / "first")
    assert len(written) == WRITES
    assert written[-1] == "manifest.json"


def test_what_is_not_a_run_is_said_to_be_none(folder):
    with pytest.raises(ArtifactError, match="does not exist or is not a directory"):
        load_run(folder / "missing")
    with pytest.raises(ArtifactError, match=r"not a complete run: it has no manifest\.json"):
        load_run(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema_version": 1}'])
def test_a_broken_manifest_is_an_error(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        load_run(folder)


def test_names_in_a_manifest_cannot_leave_the_run(folder, result):
    run = load_run(save(result, folder / "first"))
    record = next(iter(run.manifest.artifacts.values()))
    for name in ("../secret.parquet", "/etc/passwd", "..", "a/b"):
        (folder / "evil").mkdir(exist_ok=True)
        evil = run.manifest.model_copy(update={"artifacts": {name: record}})
        (folder / "evil" / "manifest.json").write_bytes(evil.to_json())
        with pytest.raises(ArtifactError, match="String should match pattern"):
            load_run(folder / "evil")


def test_compare_names_config_metrics_and_first_rows(folder, result):
    first = save(result, folder / "first")
    other = replace(
        result,
        config=BacktestConfig.load({"run": {"seed": 7}}),
        equity=pl.DataFrame({"equity": [2.0, 4.5, 7.0]}),
        metrics={"sharpe": 1.0, "trades": 3},
    )
    comparison = compare(first, save(other, folder / "second"))
    assert comparison.config == {"run.seed": (0, 7)}
    assert comparison.metrics == {"sharpe": (1.25, 1.0), "calmar": (None, None), "trades": (3, 3)}
    assert comparison.frames["orders"] is None
    assert str(comparison.frames["equity"]) == "row 1, equity: 4.0 → 4.5"
    assert not comparison.is_equal
    assert compare(first, first).is_equal


def test_first_difference_takes_the_top_row_then_the_left_column():
    left = pl.DataFrame({"a": [1, 2, 3], "b": [math.nan, None, 1.0]})
    assert first_difference(left, left.clone()) is None
    right = pl.DataFrame({"a": [1, 2, 4], "b": [math.nan, 0.0, 1.0]})
    found = first_difference(left, right)
    assert found is not None
    assert (found.row, found.column, found.left, found.right) == (1, "b", None, 0.0)
    assert str(first_difference(left, left.head(2))) == "row 2: 3 rows → 2 rows"
    assert str(first_difference(left, left.select("a"))).startswith("columns: ")


# Verification: with a stand-in for the engine, so that every diagnosis is forced by exactly one change.


@pytest.fixture
def saved(folder, result):
    return save(result, folder / "first")


def subjects(found: Verification) -> list[str]:
    return [Path(finding.subject).name for finding in found.findings]


def test_an_untouched_run_is_identical(saved):
    found = verify(saved, fake_rerun)
    assert (found.outcome, found.exit_code, found.findings) == (Outcome.IDENTICAL, 0, ())
    assert "byte for byte" in str(found)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["equity.parquet", "orders.parquet", "metrics.json", "manifest.json"])
def test_one_artifact_byte_is_diagnosed(saved, name):
    flip_a_byte(saved / name)
    found = verify(saved, fake_rerun)
    assert (found.outcome, found.exit_code) == (Outcome.ARTIFACT_CHANGED, 1)
    assert subjects(found) == [name]


def test_a_missing_artifact_is_diagnosed(saved):
    (saved / "orders.parquet").unlink()
    found = verify(saved, fake_rerun)
    assert (found.outcome, subjects(found)) == (Outcome.ARTIFACT_CHANGED, ["orders.parquet"])
    assert "No such file" in str(found)


def test_a_changed_configuration_is_diagnosed(saved):
    config = saved / "config.toml"
    config.write_text(config.read_text().replace("seed = 0", "seed = 1"))
    found = verify(saved, fake_rerun)
    assert (found.outcome, subjects(found)) == (Outcome.CONFIG_CHANGED, ["config.toml"])


def test_one_price_is_diagnosed(folder, saved):
    pl.DataFrame({"close": [1.0, 2.0, 3.5]}).write_parquet(folder / "bars.parquet")
    found = verify(saved, fake_rerun)
    assert (found.outcome, found.exit_code, subjects(found)) == (Outcome.DATA_CHANGED, 1, ["bars"])
    assert str(folder / "bars.parquet") in str(found)


@pytest.mark.parametrize(("file", "old", "new"), [("strategy.py", "= 2", "= 3"), ("plan.py", "= 1", "= 2")])
def test_one_source_line_is_diagnosed_in_the_strategy_and_in_a_sibling(folder, saved, file, old, new):
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    found = verify(saved, fake_rerun)
    assert (found.outcome, found.exit_code, subjects(found)) == (Outcome.SOURCE_CHANGED, 1, [file])


def test_a_source_that_is_gone_is_diagnosed(folder, saved):
    (folder / "strategy.py").unlink()
    assert verify(saved, fake_rerun).outcome is Outcome.SOURCE_CHANGED


def test_all_changes_are_listed(folder, saved):
    flip_a_byte(saved / "orders.parquet")
    flip_a_byte(folder / "bars.parquet")
    (folder / "plan.py").write_text("OFFSET = 3\n")
    found = verify(saved, fake_rerun)
    assert subjects(found) == ["orders.parquet", "bars", "plan.py"]
    assert found.outcome is Outcome.ARTIFACT_CHANGED


def test_other_versions_are_a_note_unless_the_result_differs(saved, monkeypatch):
    now = verification.installed_versions() | {"polars": "99.0"}
    old = load_run(saved).manifest.versions["polars"]
    monkeypatch.setattr(verification, "installed_versions", lambda: now)
    same = verify(saved, fake_rerun)
    assert (same.outcome, same.notes) == (Outcome.IDENTICAL, (f"note: polars {old} → 99.0",))
    other = verify(saved, lambda manifest, folder: replace(fake_rerun(manifest, folder), metrics={"sharpe": 2.0}))
    assert (other.outcome, other.exit_code) == (Outcome.VERSIONS_CHANGED, 1)
    assert subjects(other) == ["polars", "metrics.json"]


def test_a_result_that_differs_for_no_reason_names_row_and_column(saved):
    equity = pl.DataFrame({"equity": [2.0, 4.0, 6.5]})
    found = verify(saved, lambda manifest, folder: replace(fake_rerun(manifest, folder), equity=equity))
    assert (found.outcome, subjects(found)) == (Outcome.RESULT_DIFFERS, ["equity.parquet"])
    assert "row 2, equity: 6.0 → 6.5" in str(found)


def test_a_run_that_cannot_be_repeated_says_why(saved):
    def failing(manifest, folder):
        raise StrategyError("no luck")

    found = verify(saved, failing)
    assert found.outcome is Outcome.RESULT_DIFFERS
    assert "could not be repeated: no luck" in str(found)


def test_data_in_memory_is_stored_and_verified(folder):
    frame = pl.DataFrame({"close": [5.0, 6.0]})
    path = save(fake_run(folder, frame), folder / "memory")
    assert "inputs/bars.parquet" in names(path)
    assert verify(path, fake_rerun).outcome is Outcome.IDENTICAL
    pl.DataFrame({"close": [5.0, 6.5]}).write_parquet(path / "inputs" / "bars.parquet")
    found = verify(path, fake_rerun)
    assert (found.outcome, subjects(found)) == (Outcome.DATA_CHANGED, ["bars"])


def test_without_the_data_it_cannot_be_verified(folder):
    path = save(fake_run(folder, pl.DataFrame({"close": [5.0, 6.0]})), folder / "memory", inputs=False)
    assert not (path / "inputs").exists()
    found = verify(path, fake_rerun)
    assert (found.outcome, found.exit_code) == (Outcome.CANNOT_VERIFY, 1)
    assert "save with inputs=True" in str(found)


def test_a_notebook_strategy_cannot_be_verified(folder, result):
    source = StrategySource("__main__:S", None, None, None, verifiable=False, reason="it lives in a notebook")
    found = verify(save(replace(result, strategy=source), folder / "notebook"), fake_rerun)
    assert (found.outcome, found.exit_code) == (Outcome.CANNOT_VERIFY, 1)
    assert "it lives in a notebook" in str(found)


def test_every_outcome_has_a_message():
    assert all(outcome.message for outcome in Outcome)


def test_a_saved_run_says_what_it_is(saved):
    assert isinstance(load_run(saved), SavedRun)
    assert repr(load_run(saved)) == f"SavedRun({str(saved)!r}, complete, strategy:Scale)"


# With the engine: what was given in memory is enough to run again.

ZONED = """
from ml4t.backtest import Strategy

class Zoned(Strategy):
    share: float = 0.5

    def on_bar(self):
        self.broker.order_target_percent("SPX", self.share)
        self.record("score", self.data.value(None, "score", stream="scores"))
        self.log(self.clock.now, self.data.signal(None, "level"))
"""


def real_result(folder: Path, zone: str | None, **options: Any) -> Any:
    (folder / "zoned.py").write_text(ZONED)
    bars = us_indices().filter(pl.col("symbol") == "SPX").head(30)
    bars = bars.with_columns(pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone(zone))
    signals = bars.select("timestamp", level=pl.col("close") - 1000)
    scores = bars.select("timestamp", score=pl.col("close") / pl.col("open"))
    strategy = load_strategy("zoned:Zoned", folder)(share=0.25)
    return run(strategy, bars, signals=signals, streams={"scores": scores}, **options)


def test_frames_in_memory_streams_and_overrides_are_verified(folder):
    path = real_result(folder, None, cash=5000.0, warmup=3, seed=4, config={"account": {"currency": "EUR"}}).save(
        folder / "a"
    )
    assert names(path / "inputs") == ["bars.parquet", "scores.parquet", "signals.parquet"]
    saved = load_run(path)
    assert saved.frame_names == [
        "fills", "orders", "order_events", "trades", "positions", "equity", "journal", "records", "log"
    ]  # fmt: skip
    assert (saved.config.account.cash, saved.config.run.warmup, saved.manifest.seed) == (5000.0, 3, 4)
    assert saved.strategy.parameters == {"share": 0.25}
    assert saved.frame("records").height == 27
    found = verify(path)
    assert found.outcome is Outcome.IDENTICAL, str(found)


def test_the_zone_of_the_timestamps_survives_the_config_file(folder):
    found = verify(real_result(folder, "America/New_York").save(folder / "a"))
    assert found.outcome is Outcome.IDENTICAL, str(found)


def test_leaky_rules_and_policies_are_in_the_manifest(folder):
    config = {"fills": {"market": "same_close"}, "run": {"acknowledge_leaky": True}}
    manifest = load_run(real_result(folder, None, config=config).save(folder / "a")).manifest
    assert manifest.leaky == ["fills.market=same_close"]
    assert any("same_close" in warning for warning in manifest.warnings)
