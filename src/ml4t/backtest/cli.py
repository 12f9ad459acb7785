"""The command line. What a command does is elsewhere; here are its options, its output and its exit code.

Exit codes: 0 done; 1 the strategy raised, or a verified run is not identical; 2 wrong input; 130 interrupted.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ml4t.backtest.errors import BacktestError, ConfigError, nearest
from ml4t.backtest.runs_command import runs_app

if TYPE_CHECKING:
    from rich.console import Console

    from ml4t.backtest.config import BacktestConfig
    from ml4t.backtest.report import Subject
    from ml4t.backtest.strategy import Strategy


class _Group(TyperGroup):
    """Every expected failure is a message and an exit code; a traceback means a defect of this package."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BacktestError as error:
            _console(stderr=True).print(_plain(f"Error: {error}"), style="red", markup=False, highlight=False)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            _console(stderr=True).print("Interrupted.", style="red")
            raise typer.Exit(130) from error
        except BrokenPipeError as error:
            # The reader (`| head`) has gone; what is still buffered must not fail again when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from error
        return result


app = typer.Typer(
    name="ml4t-backtest",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Backtest a strategy: one clock, one ledger, one kernel.",
)

profiles = typer.Typer(no_args_is_help=True, help="The rules of other engines, as differences from our defaults.")
app.add_typer(profiles, name="profiles")

app.add_typer(runs_app, name="runs")

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A config.toml (or .json).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one setting.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory.")]
OutputOption = Annotated[Path | None, typer.Option(help="Where run directories are written.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ReportOption = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run directory.")]
REPORT = "report.html"


def main() -> None:
    """Run the command line; the entry point of the console script."""
    app()


@app.command()
def run(
    config: ConfigArgument,
    assignments: SetOption = None,
    output: OutputOption = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run directory.")] = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option(help="Print only where the run is.")] = False,
    with_report: ReportOption = True,
) -> None:
    """Run the strategy a config names and save the run. Executes that strategy."""
    import ml4t.backtest as engine  # reason: the engine is slow to import, and `--help` does not need it

    settings = _load(config, [*(assignments or ()), *_output(output, run_id)])
    strategy = _strategy(settings, config.absolute().parent)
    try:
        with _progress(is_shown=not (quiet or as_json) and _is_terminal()) as progress:
            result = engine.run(strategy, config=settings, progress=progress)
    except BacktestError as error:
        if error.result is None:  # nothing was run yet
            raise
        _report_failure(error, error.result.save())
        raise typer.Exit(1) from error
    path = result.save()
    _show(result, path, as_json=as_json, quiet=quiet, page=_report(path, is_wanted=with_report))


@app.command()
def sweep(
    config: ConfigArgument,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid", metavar="NAME=VALUES", help="fast=5:50:5 (as range) or slow=50,100; config.section.option too."
        ),
    ],
    assignments: SetOption = None,
    draw: Annotated[int | None, typer.Option(help="Try that many combinations by chance, not all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the chance.")] = 0,
    metric: Annotated[list[str] | None, typer.Option("--metric", help="A metric to compute; without, all.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC", help="Best of this metric first.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows to print.")] = 20,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; without, one a processor.")] = None,
    compiled: Annotated[bool | None, typer.Option("--compiled/--plain", help="Without, as the strategy says.")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table: .parquet or .csv.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the strategy with every combination of some parameters, and print one row each. Executes that strategy."""
    import ml4t.backtest as engine  # reason: as in `run`
    from ml4t.backtest import sweep_command

    path = sweep_command.check_format(output) if output else None
    space = sweep_command.axes(grid)
    settings = _load(config, assignments or [])
    strategy = _strategy(settings, config.absolute().parent)
    chosen: dict[str, Any] = {"method": "grid"} if draw is None else {"method": "random", "n": draw, "seed": seed}
    is_whole = True
    try:
        with _progress(is_shown=not as_json and _is_terminal(), name="sweep") as progress:
            table = engine.sweep(
                strategy,
                None,
                space,
                settings,
                **chosen,
                metrics=metric,
                threads=threads,
                compiled=compiled,
                progress=progress,
            )
    except engine.SweepInterrupted as interrupt:
        table, is_whole = interrupt.result, False
        _console(stderr=True).print(str(interrupt.args[0]), style="red", markup=False)
    table = sweep_command.ranked(table, sort)
    if path:
        sweep_command.save(table, path)
    if as_json:
        typer.echo(json.dumps(table.to_dicts(), indent=2))
    else:
        typer.echo(_plain(sweep_command.text(table, top)))
        typer.echo(f"{table.height:,} combinations, {table['error'].count():,} failed{f': {path}' if path else ''}")
    if not is_whole:
        raise typer.Exit(130)


@app.command()
def demo(output: OutputOption = None, with_report: ReportOption = True, as_json: JsonOption = False) -> None:
    """Backtest a moving-average crossover on the bundled S&P 500 and NASDAQ bars, 1999 to 2018."""
    import ml4t.backtest as engine  # reason: as in `run`
    from ml4t.backtest.datasets import us_indices
    from ml4t.backtest.demo import Crossover

    config = {
        "costs": {"commission": {"kind": "rate", "rate": 0.001}},
        "output": {"root": str(output or "runs")},
    }
    with _progress(is_shown=_is_terminal() and not as_json) as progress:
        result = engine.run(Crossover(), us_indices(), config, progress=progress)
    path = result.save()
    _show(result, path, as_json=as_json, page=_report(path, is_wanted=with_report))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.")],
    as_json: JsonOption = False,
) -> None:
    """Write a working example to start from: config, strategy and data."""
    from ml4t.backtest.example import write_example  # reason: as in `run`

    paths = write_example(folder)
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in paths]}, indent=2))
        return
    for path in paths:
        typer.echo(path)
    typer.echo(f"\nNow run: ml4t-backtest run {folder / 'config.toml'}")


@app.command()
def validate(
    config: ConfigArgument,
    static: Annotated[bool, typer.Option("--static", help="Import none of your code.")] = False,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check config, data and strategy without running."""
    import ml4t.backtest as engine  # reason: as in `run`
    from ml4t.backtest.source_static import check_statically

    settings = _load(config, assignments or [])
    lines = ["config: valid"]
    strategy = engine.Strategy()
    if static:
        named = _named_strategy(settings)
        notes = check_statically(named.name, config.absolute().parent, named.parameters)
        lines += [f"strategy: {named.name} looks right (not imported)", *notes]
    else:
        strategy = _strategy(settings, config.absolute().parent)
        lines.append(f"strategy: {type(strategy).__module__}:{type(strategy).__qualname__} can be run")
    checked = engine.Engine(strategy, config=settings)
    lines.append(f"symbols: {', '.join(checked.bars.symbols)}")
    for read in checked.inputs:
        lines.append(f"{read.name}: {read.rows} rows, {read.first} to {read.last}, {read.path}")
        lines += [f"{read.name}: warning: {line}" for line in read.warnings]
    typer.echo(json.dumps({"valid": True, "lines": lines}, indent=2) if as_json else _plain("\n".join(lines)))


@app.command()
def verify(run_dir: RunArgument, as_json: JsonOption = False) -> None:
    """Run a saved run again and compare every byte, or say what changed. Executes its strategy."""
    from ml4t.backtest.artifacts import verify as verify_run  # reason: as in `run`

    verification = verify_run(run_dir)
    if as_json:
        findings = [asdict(finding) | {"outcome": finding.outcome.name.lower()} for finding in verification.findings]
        record = {"outcome": verification.outcome.name.lower(), "findings": findings, "notes": verification.notes}
        typer.echo(json.dumps(record, indent=2))
        raise typer.Exit(verification.exit_code)
    style = "green" if verification.is_identical else "red"
    _console().print(_plain(str(verification)), style=style, markup=False, highlight=False)
    raise typer.Exit(verification.exit_code)


@app.command()
def compare(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more run directories.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison as an HTML page, too.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what differs between runs: settings, metrics with the better one marked, trades, and where they part."""
    from ml4t.backtest.artifacts import compare as compare_runs  # reason: as in `run`
    from ml4t.backtest.comparison_table import comparison_record, comparison_tables, pair_lines
    from ml4t.backtest.report import comparison_html, write_page

    if len(run_dirs) < 2:
        raise ConfigError("compare needs two or more run directories.")
    subjects = [_subject(path) for path in run_dirs]
    names = [str(path) for path in run_dirs]
    page = None if html is None else write_page(html, comparison_html(subjects, names))
    if as_json:
        typer.echo(json.dumps(comparison_record(subjects, names), indent=2))
        return
    console = _console()
    for other, subject, name in zip(run_dirs[1:], subjects[1:], names[1:], strict=True):
        for table in comparison_tables(compare_runs(run_dirs[0], other), names[0], name):
            console.print(table)
        typer.echo(_plain("\n".join(pair_lines(subjects[0], subject, names[0], name))))
    if page:
        typer.echo(f"Page: {page}")


@app.command()
def explain(
    run_dir: RunArgument,
    order: Annotated[int | None, typer.Option(help="The number of an order.")] = None,
    time: Annotated[str | None, typer.Option(help="A time inside a bar, UTC unless it says otherwise.")] = None,
    symbol: Annotated[str | None, typer.Option(help="A symbol, alone or with --time.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the life of an order, of a bar or of a symbol: what was known, which rule fired, what it cost."""
    from ml4t.backtest.report import explain as explained  # reason: as in `run`

    lines = explained(_subject(run_dir), order, time, symbol).splitlines()
    typer.echo(json.dumps({"run": str(run_dir), "lines": lines}, indent=2) if as_json else _plain("\n".join(lines)))


@app.command()
def export(
    run_dir: RunArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    kind: Annotated[
        str, typer.Option("--format", help="csv: every frame; diagnostic: what ml4t-diagnostic reads.")
    ] = "csv",
    as_json: JsonOption = False,
) -> None:
    """Write the frames of a saved run for other programs; spreadsheets find no formula in the CSV files."""
    from ml4t.backtest.report import EXPORTS, export_run  # reason: as in `run`

    if kind not in EXPORTS:
        raise ConfigError(f"--format is {kind!r}; use one of {', '.join(EXPORTS)}.")
    paths = [str(path) for path in export_run(_subject(run_dir), folder, kind)]
    typer.echo(json.dumps({"files": paths}, indent=2) if as_json else "\n".join(paths))


@app.command()
def report(
    run_dir: RunArgument,
    output: Annotated[
        Path | None, typer.Option(help="The HTML file; otherwise report.html in the run directory.")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(metavar="SYMBOL", help="Compare with holding this symbol.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the HTML report of a saved run and print its summary, after checking that no file was changed."""
    from ml4t.backtest.report import write_report  # reason: as in `run`

    subject = _subject(run_dir)
    _show(subject, run_dir, as_json=as_json, page=write_report(subject, output or run_dir / REPORT, benchmark))


@profiles.command("list")
def list_profiles(as_json: JsonOption = False) -> None:
    """Print every profile, and what it was compared with."""
    from ml4t.backtest.profiles import PROFILES  # reason: `--help` does not need it

    if as_json:
        rows = [{"name": one.name, "package": one.package, "version": one.version} for one in PROFILES.values()]
        typer.echo(json.dumps(rows, indent=2))
        return
    for profile in PROFILES.values():
        typer.echo(f"{profile.name}: {profile.package} {profile.version}, {len(profile.differences)} differences")


@profiles.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A profile, see `profiles list`.")],
    as_json: JsonOption = False,
) -> None:
    """Print each difference of a profile: the setting, why, and where the other engine's source says so."""
    from ml4t.backtest.profiles import PROFILES  # reason: `--help` does not need it

    if name not in PROFILES:
        raise ConfigError(
            f"There is no profile {name!r}; there are {', '.join(PROFILES)}.{nearest(name, list(PROFILES))}"
        )
    if as_json:
        differences = PROFILES[name].differences
        rows = [{"key": d.key, "value": d.value, "sentence": d.sentence, "source": d.source} for d in differences]
        typer.echo(json.dumps(rows, indent=2))
        return
    for difference in PROFILES[name].differences:
        typer.echo(f"{difference.key} = {json.dumps(difference.value)}\n  {difference.sentence} [{difference.source}]")


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Print the versions that decide a result."""
    from ml4t.backtest.artifacts.manifest import installed_versions  # reason: as in `run`

    if as_json:
        typer.echo(json.dumps(installed_versions(), indent=2))
        return
    for name, installed in installed_versions().items():
        typer.echo(f"{name} {installed}")


def _load(config: Path, assignments: list[str]) -> "BacktestConfig":
    from ml4t.backtest.config import load_config  # reason: as in `run`

    return load_config(config, assignments)


def _output(root: Path | None, run_id: str | None) -> list[str]:
    """--output and --run-id as assignments: what is given on the command line is relative to where it is given."""
    given = {"output.root": None if root is None else str(root.absolute()), "output.run_id": run_id}
    return [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]


def _named_strategy(config: "BacktestConfig") -> Any:
    if config.strategy is None:
        raise ConfigError("strategy.name is missing: name the strategy as 'module:Class', e.g. 'strategy:Crossover'.")
    return config.strategy


def _strategy(config: "BacktestConfig", folder: Path) -> "Strategy":
    from ml4t.backtest.source import load_strategy  # reason: as in `run`

    named = _named_strategy(config)
    return load_strategy(named.name, folder)(**named.parameters)


def _subject(run_dir: Path) -> "Subject":
    """A saved run to look at, after checking that no file was changed."""
    from ml4t.backtest.artifacts import load_run  # reason: as in `run`
    from ml4t.backtest.report import Subject

    return Subject.of_saved(load_run(run_dir, check=True))


def _report(path: Path, *, is_wanted: bool) -> Path | None:
    """The report of a run that was just saved, in its directory."""
    if not is_wanted:
        return None
    from ml4t.backtest.artifacts import load_run  # reason: as in `run`
    from ml4t.backtest.report import Subject, write_report

    return write_report(Subject.of_saved(load_run(path)), path / REPORT)


def _show(run: Any, path: Path, *, as_json: bool = False, quiet: bool = False, page: Path | None = None) -> None:
    if as_json:
        metrics = json.loads((path / "metrics.json").read_bytes())
        shown = {"run": str(path), "status": run.status, "report": page and str(page), "metrics": metrics}
        typer.echo(json.dumps(shown, indent=2))
        return
    if not quiet:
        from ml4t.backtest.sketch import sparkline  # reason: as in `run`
        from ml4t.backtest.summary import rich_table

        _console().print(rich_table(run))
        if _is_unicode():
            typer.echo(f"Equity {sparkline(run.equity['equity'].to_list())}")
    typer.echo(path if quiet else f"Run directory: {path}")
    if page and not quiet:
        typer.echo(f"Report: {page}")


def _report_failure(error: BacktestError, path: Path) -> None:
    from ml4t.backtest.source import user_lines  # reason: as in `run`

    cause = error.__cause__ or error
    notes = getattr(error, "__notes__", [])  # where in the run it was
    lines = [f"Error: {error}", *notes, *user_lines(cause), f"The result up to there is saved: {path}"]
    _console(stderr=True).print(_plain("\n".join(lines)), style="red", markup=False, highlight=False)


def _is_unicode() -> bool:
    """Whether stdout can show blocks."""
    return "utf" in (sys.stdout.encoding or "").lower()


def _is_terminal() -> bool:
    return sys.stderr.isatty()


@contextmanager
def _progress(*, is_shown: bool, name: str = "backtest") -> Iterator[bool | Callable[[float], None]]:
    """What `run` reports its progress to: a bar on stderr, so that what is piped stays clean, or nothing."""
    if not is_shown:
        yield False
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn  # reason: slow to import

    columns = (name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console  # reason: slow to import

    return Console(stderr=stderr, soft_wrap=True, emoji=False)


def _plain(text: str) -> str:
    """Without control characters: what comes from files must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
