"""Strategy sources: found, imported afresh, hashed with what they import; nothing else is ever imported."""

import hashlib
import os
import py_compile
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from ml4t.backtest.errors import StrategyError
from ml4t.backtest.source import describe, load_strategy
from ml4t.backtest.source_file import find_file, package_digest, source_hashes
from ml4t.backtest.source_static import check_statically
from ml4t.backtest.strategy import Strategy

GOOD = """
from ml4t.backtest.strategy import Strategy
import plan

class Crossover(Strategy):
    fast: int = 10
    slow: int = plan.SLOW
    _hidden: int = 1

class NotOne:
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    (tmp_path / "strategy.py").write_text(GOOD)
    (tmp_path / "plan.py").write_text("SLOW = 30\n")
    (tmp_path / "unrelated.py").write_text("raise RuntimeError\n")
    yield tmp_path
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_strategy_beside_the_config_is_loaded_and_described(folder):
    cls = load_strategy("strategy:Crossover", folder)
    strategy = cls()
    strategy.fast = 12
    source = describe(strategy)
    assert (source.name, source.file) == ("strategy:Crossover", str(folder / "strategy.py"))
    assert source.verifiable
    assert source.reason is None
    assert source.parameters == {"fast": 12, "slow": 30}
    assert source.sha256 == sha256(folder / "strategy.py")
    assert source.sources == {"plan.py": sha256(folder / "plan.py"), "strategy.py": sha256(folder / "strategy.py")}


def test_an_edit_of_the_same_length_in_the_same_second_is_seen_in_module_and_sibling(folder):
    assert load_strategy("strategy:Crossover", folder).fast == 10
    (folder / "strategy.py").write_text(GOOD.replace("fast: int = 10", "fast: int = 11"))
    (folder / "plan.py").write_text("SLOW = 31\n")
    cls = load_strategy("strategy:Crossover", folder)
    assert (cls.fast, cls.slow) == (11, 31)
    assert not (folder / "__pycache__").exists()


def test_bytecode_of_an_older_source_is_not_trusted(folder):
    py_compile.compile(str(folder / "strategy.py"))  # as importing it in any other process leaves behind
    before = (folder / "strategy.py").stat()
    (folder / "strategy.py").write_text(GOOD.replace("fast: int = 10", "fast: int = 11"))
    os.utime(folder / "strategy.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_strategy("strategy:Crossover", folder).fast == 11


def test_two_folders_with_the_same_module_names_do_not_mix(folder):
    other = folder / "other"
    other.mkdir()
    (other / "strategy.py").write_text(GOOD.replace("10", "20"))
    (other / "plan.py").write_text("SLOW = 99\n")
    first = load_strategy("strategy:Crossover", folder)
    second = load_strategy("strategy:Crossover", other)
    assert (first.fast, first.slow, second.fast, second.slow) == (10, 30, 20, 99)
    assert load_strategy("strategy:Crossover", folder).slow == 30


def test_a_module_in_a_package_beside_the_config(folder):
    package = folder / "desk"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "level.py").write_text("from . import base\n")
    (package / "base.py").write_text("N = 4\n")
    (package / "alpha.py").write_text(
        "from ml4t.backtest.strategy import Strategy\nfrom .level import base\n\n"
        "class A(Strategy):\n    n: int = base.N\n"
    )
    source = describe(load_strategy("desk.alpha:A", folder))
    assert source.name == "desk.alpha:A"
    assert source.folder == str(folder)
    assert list(source.sources) == ["desk/__init__.py", "desk/alpha.py", "desk/base.py", "desk/level.py"]
    assert source.parameters == {"n": 4}


def test_an_installed_strategy_is_found_when_none_is_beside_the_config(tmp_path):
    cls = load_strategy("ml4t.backtest.demo:Crossover", tmp_path)
    source = describe(cls())
    assert issubclass(cls, Strategy)
    assert next(iter(source.sources)).startswith("ml4t/backtest/")
    assert [Path(name).name for name in source.sources if "demo" in name] == ["demo.py"]


@pytest.mark.parametrize(
    "name",
    ["os", "os:", ":system", "os.system", "a b:C", "os:path.join", "../x:C", "strategy:Crossover:x", "a..b:C", ""],
)
def test_only_module_colon_class_is_read(folder, name):
    with pytest.raises(StrategyError, match="not of the form 'module:Class'"):
        load_strategy(name, folder)


@pytest.mark.parametrize("name", ["os:system", "strategy:NotOne", "strategy:Strategy", "strategy:plan"])
def test_only_a_subclass_of_strategy_is_returned(folder, name):
    with pytest.raises(StrategyError, match="not a subclass of Strategy"):
        load_strategy(name, folder)


def test_a_misspelt_module_names_the_nearest(folder):
    with pytest.raises(StrategyError, match=r"No module 'stratgy' in .*Did you mean 'strategy'"):
        load_strategy("stratgy:Crossover", folder)


def test_a_misspelt_class_names_the_nearest_and_what_there_is(folder):
    with pytest.raises(StrategyError, match=r"no class 'Crosover'.*Did you mean 'Crossover'.*It defines Crossover"):
        load_strategy("strategy:Crosover", folder)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import nothing_of_this_name", r"bad\.py: importing it raised ModuleNotFoundError.*\n.*bad\.py:2 in <module>"),
        ("1 / 0", r"bad\.py: importing it raised ZeroDivisionError.*\n.*bad\.py:2 in <module>: 1 / 0"),
        ("def broken(:", r"bad\.py:2: invalid syntax: def broken\(:"),
        ("raise SystemExit(3)", r"importing it raised SystemExit: 3"),
    ],
)
def test_a_failing_import_says_where(folder, line, said):
    (folder / "bad.py").write_text(f"X = 1\n{line}\n")
    with pytest.raises(StrategyError, match=said) as caught:
        load_strategy("bad:Crossover", folder)
    assert "importlib" not in str(caught.value)


def test_a_module_may_not_take_the_name_of_an_installed_one(folder):
    (folder / "json.py").write_text(GOOD)
    with pytest.raises(StrategyError, match="'json' belongs to an installed module; rename the file"):
        load_strategy("json:Crossover", folder)


def test_what_cannot_be_loaded_again_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # as in a notebook: it has no file
    notebook: dict[str, object] = {"Strategy": Strategy, "__name__": "__main__"}
    exec(compile("class InCell(Strategy):\n    n: int = 3", "/tmp/ipykernel_7/1.py", "exec"), notebook)
    in_cell = describe(notebook["InCell"])
    assert (in_cell.verifiable, in_cell.file, in_cell.sha256) == (False, None, None)
    assert "notebook" in str(in_cell.reason)
    assert in_cell.parameters == {"n": 3}

    class Local(Strategy):
        pass

    local = describe(Local())
    assert not local.verifiable
    assert "inside a function" in str(local.reason)
    assert local.sha256 == sha256(Path(__file__))


def test_a_script_run_as_main_is_hashed_but_not_verifiable(folder, monkeypatch):
    cls = load_strategy("strategy:Crossover", folder)
    monkeypatch.setattr(cls, "__module__", "__main__")
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["strategy"])
    source = describe(cls)
    assert "move the class into a module of its own" in str(source.reason)
    assert source.sha256 == sha256(folder / "strategy.py")
    assert "plan.py" in source.sources


def test_parameters_become_json_values_or_a_reason(folder):
    strategy = load_strategy("strategy:Crossover", folder)()
    strategy.fast, strategy.slow = date(2020, 1, 2), (1, 2)
    assert describe(strategy).parameters == {"fast": "2020-01-02", "slow": [1, 2]}
    assert describe(strategy).verifiable
    for value in (object(), float("inf"), [float("nan")]):
        strategy.slow = value
        source = describe(strategy)
        assert source.parameters["slow"] == repr(value)
        assert not source.verifiable
        assert "parameter 'slow' = " in str(source.reason)


def test_find_file_stays_in_the_folder(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "way_out.py").symlink_to(folder / "plan.py")
    assert find_file("plan", folder) == folder / "plan.py"
    assert find_file("way_out", folder / "inner") is None
    assert find_file("missing", folder) is None


def test_source_hashes_survive_a_cycle_and_a_syntax_error(folder):
    (folder / "a.py").write_text("import b")
    (folder / "b.py").write_text("import a, c")
    (folder / "c.py").write_text("def broken(:")
    assert list(source_hashes(folder / "a.py", folder)) == ["a.py", "b.py", "c.py"]


def test_the_package_digest_is_stable():
    assert package_digest() == package_digest()
    assert len(package_digest()) == 64


def test_static_checks_execute_nothing(folder):
    (folder / "loud.py").write_text("raise RuntimeError('executed')\n" + GOOD)
    assert check_statically("loud:Crossover", folder, ["fast"]) == []
    assert "loud" not in sys.modules


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("strategy:Crosover", [], r"no class 'Crosover' at the top level. Did you mean 'Crossover'"),
        ("strategy:NotOne", [], "NotOne has no base class"),
        ("strategy:Crossover", ["fats"], r"no parameter 'fats'. Did you mean 'fast'.* It has: fast, slow, _hidden"),
        ("broken:Crossover", [], r"broken.py:1: invalid syntax"),
    ],
)
def test_static_checks_say_what_is_wrong(folder, name, parameters, said):
    (folder / "broken.py").write_text("def broken(:")
    with pytest.raises(StrategyError, match=said):
        check_statically(name, folder, parameters)


def test_static_checks_say_what_they_could_not_decide(folder):
    (folder / "child.py").write_text("from strategy import Crossover\nclass Child(Crossover): ...\n")
    assert "its parameters are not checked" in check_statically("child:Child", folder, ["x"])[0]
    assert "whether it is installed is not checked" in check_statically("desk:Child", folder)[0]
