"""The disk cache of compiled code, keyed by all of the kernel's sources: Numba's own would not see an edit in an imported file."""

import hashlib
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar

import numba
import platformdirs
from numba import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

PACKAGE = Path(__file__).parent


def kernel_sources() -> list[Path]:
    """Every file whose text may end up in compiled code."""
    return [
        PACKAGE / "_cache.py",
        PACKAGE / "_jit.py",
        PACKAGE / "_compiler.py",
        PACKAGE / "enums.py",
        PACKAGE / "queue_rule.py",
        PACKAGE / "inputs.py",
        PACKAGE / "tables.py",
        PACKAGE / "allocation.py",
        *sorted((PACKAGE / "kernel").glob("*.py")),
    ]


def kernel_digest() -> str:
    """SHA-256 over the kernel's sources, Numba's version and the flags that are missing in Numba's own cache key."""
    flags = (numba.__version__, config.BOUNDSCHECK, config.OPT, config.DEBUGINFO_DEFAULT, config.CPU_NAME)
    text = b"\0".join(path.read_bytes() for path in kernel_sources())
    return hashlib.sha256(text + repr(flags).encode()).hexdigest()[:16]


DIGEST = kernel_digest()


def cache_root() -> Path:
    """Folder of compiled code: `ML4T_BACKTEST_CACHE`, or the user's cache folder. As trusted as the code itself, hence private (0700).

    It is there, unless it cannot be made.
    """
    root = os.environ.get("ML4T_BACKTEST_CACHE") or platformdirs.user_cache_dir("ml4t-backtest", appauthor=False)
    path = Path(root)
    with suppress(OSError):  # who wants to store something there is told (`is_writable`, `save_overload`)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and path.stat().st_uid == os.getuid():
            path.chmod(0o700)  # it may have been made by hand
    return path


def is_writable() -> bool:
    """Whether compiled code can be stored."""
    try:
        folder = cache_root() / DIGEST
        folder.mkdir(exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


KEPT = 30
"""Days for which compiled code that nobody uses stays in the cache."""


def forget_old_kernels() -> None:
    """Compiled code of kernels that nobody has used for `KEPT` days is gone from the cache; this one counts as used now."""
    root = cache_root()
    for folder in root.iterdir() if os.access(root, os.R_OK | os.X_OK) and root.is_dir() else ():
        if not re.fullmatch("[0-9a-f]{16}", folder.name):
            continue
        with suppress(OSError):  # another process may be doing the same, and a cache may be read-only
            if folder.name == DIGEST:
                os.utime(folder)
            elif time.time() - folder.stat().st_mtime > KEPT * 86_400:
                shutil.rmtree(folder)


class _Locator(_CacheLocator):  # type: ignore[misc]
    """Stores entries under `cache_root()/DIGEST`. Numba alone would not notice an edit in a file that the cached function imports."""

    folder: ClassVar = ""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_root() / DIGEST / self.folder)

    def get_source_stamp(self) -> str:
        return DIGEST

    def get_disambiguator(self) -> str:
        return str(self._lineno)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_Locator":
        return cls(py_func, py_file)  # a folder that is only read is fine, as long as the code is there


class _Entries(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar = [_Locator]


class KernelCache(FunctionCache):  # type: ignore[misc]
    _impl_class = _Entries

    def has_files(self) -> bool:
        """Compiled code was stored; whether it can be used, loading it tells."""
        return os.path.exists(self._cache_file._index_path)  # noqa: PTH110  False where the folder may not even be read

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            return None  # no folder, or one that cannot be read: storing will tell
        except Exception as error:  # noqa: BLE001  a damaged file can raise anything; compiling again is always right
            warnings.warn(
                f"compiled code in {self.cache_path} is damaged ({error!r}) and is compiled again", stacklevel=2
            )
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:  # no folder, no permission, no space: what is compiled works all the same
            global _is_told  # noqa: PLW0603  once a process, not once a function
            if not _is_told:
                _is_told = True
                warnings.warn(
                    f"compiled code cannot be stored in {self.cache_path} ({error.strerror}): every process compiles it again. "
                    "Set ML4T_BACKTEST_CACHE to a folder that can be written to.",
                    stacklevel=2,
                )


_is_told = False


def cache_in(folder: str) -> type[KernelCache]:
    """The cache whose entries are in this folder beside the kernel's."""

    class Locator(_Locator):
        pass

    class Entries(CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes: ClassVar = [Locator]

    class Cache(KernelCache):
        _impl_class = Entries

    Locator.folder = folder
    return Cache
