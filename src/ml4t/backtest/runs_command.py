"""`ml4t-backtest runs`: the folder of runs as a registry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import polars as pl

runs_app = typer.Typer(no_args_is_help=True, help="List, show, compare and tidy saved runs.")

RootOption = Annotated[Path, typer.Option("--root", help="The folder of the runs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ROOT = Path("runs")


@runs_app.command("list")
def list_runs(root: RootOption = ROOT, as_json: JsonOption = False) -> None:
    """List the runs of a folder, newest first."""
    from ml4t.backtest.artifacts.registry import runs  # reason: `--help` must not load Polars

    frame = runs(root)
    typer.echo(json.dumps(frame.to_dicts(), indent=2) if as_json else _text(frame))


@runs_app.command()
def show(
    run: Annotated[str, typer.Argument(help="The id of a run, or the beginning of one.")],
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show one run: its row, and every metric."""
    from ml4t.backtest.artifacts import load_run  # reason: as above

    saved = load_run(named(run, root))
    record = {"run": str(saved.folder), "status": saved.status, "strategy": saved.strategy.name, **saved.metrics}
    typer.echo(json.dumps(record, indent=2) if as_json else _lines(record))


@runs_app.command()
def diff(
    left: Annotated[str, typer.Argument(help="The id of a run, or the beginning of one.")],
    right: Annotated[str, typer.Argument(help="Another.")],
    root: RootOption = ROOT,
    as_json: JsonOption = False,
) -> None:
    """Print the settings and metrics that differ between two runs."""
    from ml4t.backtest.artifacts import compare  # reason: as above

    found = compare(named(left, root), named(right, root))
    metrics = {name: pair for name, pair in found.metrics.items() if pair[0] != pair[1]}
    frames = {name: str(one) for name, one in found.frames.items() if one}
    if as_json:
        typer.echo(json.dumps({"config": found.config, "metrics": metrics, "frames": frames}, indent=2, default=str))
        return
    for name, pair in (found.config | metrics).items():
        typer.echo(_safe(f"{name}: {pair[0]} → {pair[1]}"))
    for name, text in frames.items():
        typer.echo(_safe(f"{name}: {text}"))


@runs_app.command()
def gc(
    root: RootOption = ROOT,
    failed: Annotated[bool, typer.Option("--failed", help="Failed runs, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it they are only listed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what interrupted saves left behind. Whole runs are never touched, unless they failed and --failed is given."""
    from ml4t.backtest.artifacts.registry import garbage, remove  # reason: as above

    found = garbage(root, failed=failed)
    if yes:
        remove(found)
    if as_json:
        rows = [{"path": str(one.path), "reason": one.reason, "size": one.size} for one in found]
        typer.echo(json.dumps({"removed": yes, "items": rows}, indent=2))
        return
    for one in found:
        typer.echo(_safe(f"{'removed' if yes else 'would remove'} {one.path}: {one.reason}, {one.size:,} bytes"))
    if not found:
        typer.echo("Nothing to remove.")
    elif not yes:
        typer.echo("Add --yes to remove them.")


def named(run: str, root: Path) -> Path:
    """Return the run directory of an id, of the only id that begins so, or of a path. Raises: ArtifactError."""
    from ml4t.backtest.artifacts.registry import runs  # reason: as above
    from ml4t.backtest.errors import ArtifactError, nearest

    if (Path(run) / "manifest.json").is_file():
        return Path(run)
    ids = runs(root)["run_id"].to_list()
    found = [one for one in ids if one == run] or [one for one in ids if one.startswith(run)]
    if len(found) != 1:
        what = f"{len(found)} runs begin with {run!r}" if found else f"{root} has no run {run!r}.{nearest(run, ids)}"
        raise ArtifactError(f"{what}; `ml4t-backtest runs list` shows them.")
    return root / str(found[0])


def _text(frame: "pl.DataFrame") -> str:
    import polars as pl  # reason: as above

    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_width_chars=200
    ):
        return _safe(str(frame.drop("path", "data")))


def _lines(record: dict[str, Any]) -> str:
    return _safe("\n".join(f"{name:<28}{'–' if value is None else value}" for name, value in record.items()))


def _safe(text: str) -> str:
    """Without control characters: what comes from files must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
