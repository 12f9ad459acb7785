"""The working example that `ml4t-backtest init` writes."""

import inspect
from pathlib import Path

from ml4t.backtest.errors import ArtifactError

CONFIG = """\
# Run it:    ml4t-backtest run config.toml
# Change it: ml4t-backtest run config.toml --set strategy.parameters.fast=20 --set costs.commission.rate=0.002

[strategy]
name = "strategy:Crossover"       # module:Class, in strategy.py beside this file

[strategy.parameters]
fast = 50
slow = 200

[data]
bars = "bars.parquet"             # columns timestamp, symbol, open, high, low, close, volume

[account]
kind = "cash"                     # no shorts, cash never negative
cash = 100000.0

[costs.commission]
kind = "rate"                     # a fraction of the value traded: 0.001 is 10 basis points
rate = 0.001

[output]
root = "runs"                     # every run gets its own directory in here
"""

README = """\
# A backtest to start from

- `strategy.py`: the strategy; its annotated class attributes are its parameters
- `config.toml`: what is run, on what, at what cost
- `bars.parquet`: daily bars of the S&P 500 and the NASDAQ Composite, 1999 to 2018

```
ml4t-backtest validate config.toml     # checks everything without running
ml4t-backtest run config.toml          # writes runs/<id>
ml4t-backtest report runs/<id>         # prints it again
ml4t-backtest verify runs/<id>         # runs it again and compares every byte
ml4t-backtest compare runs/<a> runs/<b>
```
"""


def write_example(folder: str | Path) -> list[Path]:
    """Return the files of the example that are now in `folder`; nothing that was there is overwritten.

    Raises: ArtifactError when one of them exists already, or the folder cannot be written.
    """
    from ml4t.backtest import datasets, demo  # reason: both need the engine, the command line's help does not
    from ml4t.backtest.artifacts.store import parquet_bytes

    folder = Path(folder)
    files = {
        "config.toml": CONFIG.encode(),
        "strategy.py": inspect.getsource(demo).encode(),
        "bars.parquet": parquet_bytes(datasets.us_indices()),
        "README.md": README.encode(),
    }
    if there := [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]:
        raise ArtifactError(f"{folder} already has {', '.join(there)}; nothing was written. Choose another directory.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with (folder / name).open("xb") as file:
                file.write(content)
    except OSError as error:
        raise ArtifactError(f"Cannot write the example into {folder}: {error.strerror}.") from error
    return [folder / name for name in files]
