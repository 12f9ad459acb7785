"""The command line: options, output, exit codes; and the three diagnoses of `verify` on a real run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import ml4t.backtest as engine
from ml4t.backtest import cli
from ml4t.backtest.artifacts import load_run
from ml4t.backtest.cli import app
from ml4t.backtest.errors import DataError, StrategyError
from ml4t.backtest.profiles import PROFILES

COMMANDS = ("run", "demo", "init", "validate", "verify", "compare", "report", "version", "explain", "export", "runs")


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def restored_imports(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in ("strategy", "plan"):
        sys.modules.pop(name, None)
    sys.modules.update({name: before[name] for name in ("strategy", "plan") if name in before})


@pytest.fixture
def example(tmp_path):
    folder = tmp_path / "example"
    assert call("init", folder).exit_code == 0
    bars = pl.read_parquet(folder / "bars.parquet")
    bars.filter(pl.col("timestamp").dt.year().is_in([2008, 2009])).write_parquet(folder / "bars.parquet")
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace("fast = 50", "fast = 5").replace("slow = 200", "slow = 20"))
    return folder


@pytest.fixture
def saved(example):
    result = call("run", example / "config.toml", "--run-id", "first", "--quiet")
    assert result.exit_code == 0, result.output
    return example / "runs" / "first"


def test_help_names_every_command():
    result = call("--help")
    assert result.exit_code == 0
    assert all(command in result.output for command in COMMANDS)


def test_help_does_not_load_the_engine():
    code = "import sys; from ml4t.backtest.cli import app\n"
    code += "try: app(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'numba', 'polars', 'numpy', 'pydantic'} & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version_names_what_decides_a_result():
    result = call("version")
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines()} >= {"python", "numpy", "numba", "polars"}


def test_the_example_runs_and_says_where_the_run_is(example):
    result = call("run", example / "config.toml", "--run-id", "first")
    assert result.exit_code == 0, result.output
    assert "strategy:Crossover" in result.output
    assert str(example / "runs" / "first") in result.output
    run = load_run(example / "runs" / "first", check=True)
    assert run.status == "complete"
    assert run.manifest.strategy.parameters == {"fast": 5, "slow": 20}
    assert run.frame("fills").height > 0


def test_set_output_and_json(example, tmp_path):
    result = call(
        "run", example / "config.toml", "--set", "costs.commission.rate=0.002", "--set", "run.seed=3",
        "--output", tmp_path / "elsewhere", "--run-id", "second", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert (printed["run"], printed["status"]) == (str(tmp_path / "elsewhere" / "second"), "complete")
    run = load_run(tmp_path / "elsewhere" / "second")
    assert printed["metrics"] == run.metrics
    assert run.config.costs.commission.rate == 0.002
    assert run.manifest.seed == 3


def test_quiet_prints_only_the_directory(example):
    result = call("run", example / "config.toml", "--run-id", "first", "--quiet")
    assert result.output.strip() == str(example / "runs" / "first")


def test_a_run_is_never_overwritten(example, saved):
    result = call("run", example / "config.toml", "--run-id", "first")
    assert result.exit_code == 2
    assert "never overwritten" in result.stderr


def test_init_refuses_to_overwrite(tmp_path):
    (tmp_path / "strategy.py").write_text("mine")
    result = call("init", tmp_path)
    assert result.exit_code == 2
    assert "already has strategy.py" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["strategy.py"]
    assert (tmp_path / "strategy.py").read_text() == "mine"


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


BAD = {
    "unknown key": ("config.toml", "rate = 0.001", "rat = 0.001", "rate"),
    "not toml": ("config.toml", "[data]", "[data", "config.toml"),
    "negative cash": ("config.toml", "cash = 100000.0", "cash = -1.0", "account.cash"),
    "missing class": ("config.toml", ":Crossover", ":Crosover", "Did you mean 'Crossover'"),
    "missing module": ("config.toml", '"strategy:', '"stratgy:', "Did you mean 'strategy'"),
    "unknown parameter": ("config.toml", "fast = 5", "fats = 5", "fast"),
    "missing data": ("config.toml", '"bars.parquet"', '"bar.parquet"', "bar.parquet"),
    "syntax error": ("strategy.py", "def on_bar", "def on bar", "strategy.py:"),
    "import error": ("strategy.py", "class Crossover", "import nothing_like_it\n\nclass Crossover", "nothing_like_it"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_wrong_input_is_one_message_and_exit_code_2(example, command, case):
    file, old, new, said = BAD[case]
    edit(example / file, old, new)
    result = call(command, example / "config.toml")
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not (example / "runs").exists()


def test_validate_checks_everything_and_runs_nothing(example):
    result = call("validate", example / "config.toml")
    assert result.exit_code == 0, result.output
    assert "config: valid" in result.output
    assert "strategy:Crossover can be run" in result.output
    assert "SPX" in result.output
    assert not (example / "runs").exists()


def test_validate_static_imports_nothing(example):
    edit(example / "strategy.py", "class Crossover", "raise RuntimeError('imported')\n\nclass Crossover")
    result = call("validate", example / "config.toml", "--static")
    assert result.exit_code == 0, result.output
    assert "not imported" in result.output
    assert call("validate", example / "config.toml").exit_code == 2
    result = call("validate", example / "config.toml", "--static", "--set", "strategy.parameters.fats=3")
    assert result.exit_code == 2
    assert "Did you mean 'fast'" in result.stderr


def test_a_strategy_that_raises_leaves_its_partial_result(example):
    edit(example / "strategy.py", "symbols = self.data.symbols", "symbols = self.data.symbols\n        self.boom()")
    result = call("run", example / "config.toml", "--run-id", "broken")
    assert result.exit_code == 1, result.output
    assert "boom" in result.stderr
    assert f"{example / 'strategy.py'}" in result.stderr
    run = load_run(example / "runs" / "broken", check=True)
    assert run.status == "failed"
    assert "boom" in str(run.error)
    assert call("verify", example / "runs" / "broken").exit_code == 0
    assert "boom" in call("report", example / "runs" / "broken").output


@pytest.mark.parametrize(
    ("error", "exit_code", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (DataError("row 3 of bars.parquet \x1b[31m is wrong"), 2, "row 3 of bars.parquet �[31m is wrong"),
        (StrategyError("[red]no[/red] parameters"), 2, "[red]no[/red] parameters"),
    ],
)
def test_errors_of_the_engine_have_their_exit_codes(example, monkeypatch, error, exit_code, said):
    def failing(*arguments, **options):
        raise error

    monkeypatch.setattr(engine, "run", failing)
    result = call("run", example / "config.toml")
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_defect_is_not_hidden(example, monkeypatch):
    monkeypatch.setattr(engine, "run", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("run", example / "config.toml")


def test_report_prints_the_saved_run_without_importing_it(example, saved):
    (example / "strategy.py").write_text("raise RuntimeError('imported')")
    result = call("report", saved)
    assert result.exit_code == 0, result.output
    assert "strategy:Crossover" in result.output
    assert json.loads(call("report", saved, "--json").stdout)["metrics"] == load_run(saved).metrics


def test_report_refuses_a_changed_run(saved):
    flip_a_byte(saved / "trades.parquet")
    result = call("report", saved)
    assert result.exit_code == 2
    assert "trades.parquet" in result.stderr


def test_compare_shows_settings_metrics_and_first_differences(example, saved):
    arguments = ("--run-id", "second", "--set", "costs.commission.rate=0.002", "--quiet")
    assert call("run", example / "config.toml", *arguments).exit_code == 0
    (example / "strategy.py").write_text("raise RuntimeError('imported')")
    result = call("compare", saved, example / "runs" / "second")
    assert result.exit_code == 0, result.output
    assert "costs.commission.rate" in result.output
    assert "0.002" in result.output
    assert "row 0" in result.output


def test_compare_of_what_is_no_run(tmp_path):
    result = call("compare", tmp_path, tmp_path)
    assert result.exit_code == 2
    assert "not a complete run" in result.stderr


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_verify_of_an_untouched_run(saved):
    result = call("verify", saved)
    assert result.exit_code == 0, result.output
    assert "Identical" in result.output


def test_one_price_one_source_line_and_one_artifact_byte_have_three_diagnoses(example, saved):
    bars = pl.read_parquet(example / "bars.parquet")
    original, source = (example / "bars.parquet").read_bytes(), (example / "strategy.py").read_text()
    is_first = pl.int_range(pl.len()) == 0
    higher = pl.when(is_first).then(pl.col("high") + 0.01).otherwise("high").alias("high")
    bars.with_columns(higher).write_parquet(example / "bars.parquet")
    price = call("verify", saved)
    (example / "bars.parquet").write_bytes(original)

    edit(example / "strategy.py", "self.fast) >", "self.fast) >=")
    line = call("verify", saved)
    (example / "strategy.py").write_text(source)

    assert call("verify", saved).exit_code == 0
    flip_a_byte(saved / "fills.parquet")
    byte = call("verify", saved)

    said = [result.output.splitlines()[0] for result in (price, line, byte)]
    assert said == [
        "The input data is not what the run read.",
        "The strategy's source is not what was run.",
        "A file of the run directory is not as it was written.",
    ]
    for result, name in ((price, "bars.parquet"), (line, "strategy.py"), (byte, "fills.parquet")):
        assert result.exit_code == 1
        assert name in result.output


def test_a_demo_from_another_folder_is_verified(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("demo", "--output", "out")
    assert result.exit_code == 0, result.output
    (run,) = (tmp_path / "out").iterdir()
    assert run.name in result.output
    assert load_run(run).config.costs.commission.rate == 0.001
    monkeypatch.chdir("/")
    assert call("verify", run).exit_code == 0


def test_progress_is_shown_on_a_terminal_only_and_never_on_stdout(example, monkeypatch):
    reported, run = [], engine.run

    def watched(*arguments, progress, **options):
        reported.append(progress)
        if callable(progress):
            progress(0.5)
        return run(*arguments, **options)

    monkeypatch.setattr(engine, "run", watched)
    call("run", example / "config.toml", "--run-id", "a")
    monkeypatch.setattr(cli, "_is_terminal", lambda: True)
    shown = call("run", example / "config.toml", "--run-id", "b")
    call("run", example / "config.toml", "--run-id", "c", "--quiet")
    assert [callable(progress) for progress in reported] == [False, True, False]
    assert shown.stdout.startswith("Backtest of strategy:Crossover")


def test_an_order_error_in_a_strategy_says_where_in_the_run(example):
    edit(
        example / "strategy.py", "symbols = self.data.symbols", 'symbols = ["SPX"]\n        self.broker.buy("SPX", -1)'
    )
    result = call("run", example / "config.toml", "--run-id", "broken")
    assert result.exit_code == 1, result.output
    assert "in Crossover at 2008-01-02" in result.stderr
    assert 'self.broker.buy("SPX", -1)' in result.stderr
    assert load_run(example / "runs" / "broken").status == "failed"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_closed_standard_output_is_no_traceback(example, saved, options):
    command = [str(Path(sys.executable).parent / "ml4t-backtest"), "report", str(saved), *options]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode != 0


def test_every_command_has_json(example, saved, tmp_path):
    calls = {
        "run": (example / "config.toml", "--run-id", "again"),
        "demo": ("--output", tmp_path / "demo", "--no-report"),
        "init": (tmp_path / "new",),
        "validate": (example / "config.toml",),
        "sweep": (example / "config.toml", "--grid", "fast=5", "--metric", "sharpe"),
        "verify": (saved,),
        "compare": (saved, saved),
        "report": (saved,),
        "explain": (saved, "--order", 1),
        "export": (saved, tmp_path / "csv"),
        "version": (),
        "profiles list": (),
        "profiles show": (next(iter(PROFILES)),),
        "runs list": ("--root", saved.parent),
        "runs show": ("first", "--root", saved.parent),
        "runs diff": ("first", "first", "--root", saved.parent),
        "runs gc": ("--root", saved.parent),
    }
    groups = {str(group.name): group.typer_instance for group in app.registered_groups}
    named = {(info.name or info.callback.__name__).replace("_", "-") for info in app.registered_commands}
    for name, group in groups.items():
        named |= {f"{name} {info.name or info.callback.__name__}" for info in group.registered_commands}
    assert set(calls) == named
    for name, arguments in calls.items():
        done = call(*name.split(), *arguments, "--json")
        assert done.exit_code == 0, (name, done.output)
        json.loads(done.stdout)


def test_a_run_leaves_its_report_unless_told_not_to(example):
    assert call("run", example / "config.toml", "--run-id", "with").exit_code == 0
    assert call("run", example / "config.toml", "--run-id", "without", "--no-report").exit_code == 0
    first = (example / "runs" / "with" / "report.html").read_bytes()
    assert not (example / "runs" / "without" / "report.html").exists()
    assert call("report", example / "runs" / "with").exit_code == 0
    assert (example / "runs" / "with" / "report.html").read_bytes() == first
    assert call("verify", example / "runs" / "with").exit_code == 0
