"""How the kernel is compiled: the passes of Numba that plain arithmetic needs, and one optimisation per unit (ADR 0022).

Numba alone optimises every function it meets and makes machine code of it, then optimises the copy in each caller again. A *fragment* is
code that only ever becomes part of a unit: it is neither optimised nor made machine code of, the unit around it is, once, as a whole.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import config, types
from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import (
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, TranslateByteCode


class _Whole(JITCodeLibrary):  # type: ignore[misc]
    """Code that is optimised once, when all its parts are in it."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def hide(self, name: str) -> None:
        """Nobody outside calls the function of this name."""
        self._final_module.get_function(name).linkage = "internal"


class _Part(_Whole):
    """Code of a fragment, to be linked into others."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


def _nothing_to_call(library: Any, fndesc: Any, env: Any) -> Any:
    """What Numba keeps as the key of a compiled function, here one without machine code."""
    return make_function(fndesc.lookup_module(), fndesc.qualname, "part of compiled code", 0, env, (library,))


def _c_function(context: Any) -> Any:
    """As Numba's function of the same name, without what prints an exception: a unit raises none. The unit becomes part of it."""

    def create_cfunc_wrapper(library: Any, fndesc: Any, env: Any, call_helper: Any) -> None:  # noqa: ARG001
        module = context.create_module("c_function")
        inside = ir.Function(
            module, context.call_conv.get_function_type(fndesc.restype, fndesc.argtypes), fndesc.llvm_func_name
        )
        kind = ir.FunctionType(
            context.get_value_type(fndesc.restype), [context.get_value_type(argument) for argument in fndesc.argtypes]
        )
        outside = ir.Function(module, kind, fndesc.llvm_cfunc_wrapper_name)
        builder = ir.IRBuilder(outside.append_basic_block("entry"))
        _, value = context.call_conv.call_function(builder, inside, fndesc.restype, fndesc.argtypes, outside.args)
        builder.ret(value)
        library.add_ir_module(module)
        library.hide(fndesc.llvm_func_name)

    return create_cfunc_wrapper


class _Lowering(NativeLowering):  # type: ignore[misc]
    """As Numba's, into a library of this module."""

    def lower(self, work: Any, library: Any, **replaced: Any) -> bool:
        """The code is in the library, made with these methods of the target replaced."""
        context = work.targetctx
        work.library, work.targetctx = library, context.subtarget(**replaced)
        try:
            return bool(self.run_numba(work))
        finally:
            work.targetctx = context

    run_numba = NativeLowering.run_pass


@register_pass(mutates_CFG=True, analysis_only=False)
class _UnitLowering(_Lowering):
    _name = "unit_lowering"

    def run_pass(self, work: Any) -> bool:
        library = _Whole(work.targetctx.codegen(), work.func_id.func_qualname)
        library.enable_object_caching()
        raises = config.BOUNDSCHECK
        return self.lower(work, library, **({} if raises else {"create_cfunc_wrapper": _c_function(work.targetctx)}))


@register_pass(mutates_CFG=True, analysis_only=False)
class _FragmentLowering(_Lowering):
    _name = "fragment_lowering"

    def run_pass(self, work: Any) -> bool:
        library = _Part(work.targetctx.codegen(), work.func_id.func_qualname)
        return self.lower(work, library, get_executable=_nothing_to_call)


class UnitCompiler(CompilerBase):  # type: ignore[misc]
    """Machine code of one function and of all fragments in it."""

    lowering: Any = _UnitLowering

    def define_pipelines(self) -> list[PassManager]:
        """The passes, in order: bytecode to Numba's form, types, and that to LLVM's."""
        passes = PassManager("kernel")
        for kind in (
            TranslateByteCode,
            FixupArgs,
            IRProcessing,
            GenericRewrites,
            ReconstructSSA,
            NopythonTypeInference,
            PreLowerStripPhis,
            IRLegalization,
            self.lowering,
            NoPythonBackend,
        ):
            passes.add_pass(kind, kind._name)
        passes.finalize()
        return [passes]


class FragmentCompiler(UnitCompiler):
    """Code for units to take in."""

    lowering = _FragmentLowering


def share_fragments(dispatcher: Any) -> None:
    """Integers of any width, literals and enum members find the same compiled function: kernel code asks for no more than int64."""
    folded = dispatcher._compiler.fold_argument_types

    def widened(args: Any, kws: Any) -> Any:
        signature, found = folded(args, kws)
        return signature, tuple(_wide(kind) for kind in found)

    dispatcher._compiler.fold_argument_types = widened


def _wide(kind: Any) -> Any:
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, types.Integer | types.IntEnumMember) else kind


@contextmanager
def rare_collection() -> Iterator[None]:
    """Little garbage collection inside: compiling keeps most of what it allocates, and a tenth of its time would go into looking."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 20, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
