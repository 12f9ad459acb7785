"""The contracts of [tool.importlinter] hold, each of them can break, and what they cannot express holds too."""

import ast
from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_ERROR, EXIT_STATUS_SUCCESS, lint_imports

import source_tree as source

CONFIG = source.ROOT / "pyproject.toml"

# Each edit makes one contract wrong. A contract that it does not break checks nothing.
WRONG = {
    "an upward import": ("layers", '  "strategy",\n', ""),
    "a module nobody placed": ("layers", '  "datasets | models', '  "models'),
    "a layer too low": ("layers", '  "errors",\n]', '  "errors",\n  "engine",\n]'),
    "neighbours that know each other": ("kernel", '  "group",\n  "terms",\n', '  "match | admission",\n'),
    "a part of the lowering that nobody placed": ("lowering", '  "state",\n', ""),
    "frames in the arithmetic": (
        "arithmetic",
        '"ml4t.backtest.tables"]',
        '"ml4t.backtest.tables", "ml4t.backtest.lower"]',
    ),
    "the compiler elsewhere": ("compiler", '  "ml4t.backtest.kernel.entry -> numba",\n', ""),
    "an optional dependency": ("optional", '["pandas", "pyarrow"]\n', '["pandas", "polars", "pyarrow"]\n'),
}


def verdict(config: Path, *contracts: str) -> int:
    return lint_imports(config_filename=str(config), limit_to_contracts=contracts, no_cache=True)


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(CONFIG) == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("defect", WRONG)
def test_the_contract_can_break(defect: str, tmp_path: Path) -> None:
    contract, old, new = WRONG[defect]
    text = CONFIG.read_text()
    start = text.index(f'id = "{contract}"')
    assert old in text[start:], f"{old!r} is no longer in contract {contract}"
    config = tmp_path / "pyproject.toml"
    config.write_text(text[:start] + text[start:].replace(old, new, 1))
    assert verdict(config, contract) == EXIT_STATUS_ERROR


def test_only_programs_use_the_public_package() -> None:
    """`ml4t.backtest` finds the engine when asked for a name: an import of it is an import of everything.

    `artifacts.verification` runs a saved run again, which is the engine's work, although `Result.save` needs the
    artifacts.
    """
    graph = grimp.build_graph("ml4t.backtest", exclude_type_checking_imports=True, cache_dir=None)
    users = graph.find_modules_that_directly_import("ml4t.backtest")
    assert users == {f"ml4t.backtest.{module}" for module in ("artifacts.verification", "cli", "demo")}


def numba_names(tree: ast.Module) -> set[str]:
    """What a file imports from Numba, with dots."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {found for found in names if found.split(".")[0] in ("numba", "llvmlite")}


def test_only_compilation_touches_numba_internals() -> None:
    found = {source.name(path): names for path in source.files() if (names := numba_names(source.tree(path)))}
    assert found.pop("_jit.py") >= {"numba", "llvmlite.binding"}
    assert found.pop("_cache.py") >= {"numba.core.caching.FunctionCache"}
    assert found.pop("_compiler.py") >= {"numba.core.compiler.CompilerBase"}
    assert found.pop("_model_code.py") == {"numba", "numba.core.types"}
    assert found.pop("compilation/instance.py") >= {"llvmlite.ir", "numba.core.cgutils"}
    others = {file: names for file, names in found.items() if not file.startswith("compilation/")}
    assert others == {"kernel/entry.py": {"numba.types"}}


def test_the_search_for_numba_sees_every_form() -> None:
    text = "import numba.core\nfrom numba.core import types\ndef f():\n    import llvmlite.ir\nfrom .numba import x\n"
    assert numba_names(ast.parse(text)) == {"numba.core", "numba.core.types", "llvmlite.ir"}
