"""A pass of the compiler: an attribute of the strategy keeps its type. Numba alone would cut 0.5 off to 0 without a word."""

from typing import Any

from numba.core import ir, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.errors import TypingError
from numba.core.typed_passes import NopythonTypeInference

from ml4t.backtest.compilation.instance import Slot, StrategyType
from ml4t.backtest.compilation.view import Order

STARTS = {types.float64: "0.0", types.int64: "0", types.boolean: "False"}


def problem(slot: Slot, given: Any) -> str | None:
    """Why an attribute cannot be given a value of this type, None where it can."""
    name, value = slot.name, types.unliteral(given)
    if slot.kind == "array":
        return f"self.{name} is an array: assign its elements, `self.{name}[:] = ...`"
    if slot.kind in ("tuple", "name"):
        return f"self.{name} is a {'tuple' if slot.kind == 'tuple' else 'text'} and cannot change in compiled code; set it in on_start"
    fits = {
        "int": isinstance(value, types.Integer),
        "float": isinstance(value, types.Float | types.Integer),
        "flag": isinstance(value, types.Boolean),
        "order": isinstance(value, Order | types.NoneType),
    }
    if fits[slot.kind]:
        return None
    was = "an order or None" if slot.kind == "order" else str(slot.type)
    return f"self.{name} was {was} after on_start and is given {value} here: start it as `self.{name} = {STARTS.get(value, '...')}`"


@register_pass(mutates_CFG=False, analysis_only=True)
class CheckAssignments(FunctionPass):  # type: ignore[misc]
    """Refuses assignments that would change the type of an attribute."""

    _name = "ml4t_check_assignments"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Nothing is changed. Raises TypingError at the first assignment that would change a type."""
        for block in state.func_ir.blocks.values():
            for instruction in block.find_insts(ir.SetAttr):
                target = state.typemap[instruction.target.name]
                if isinstance(target, StrategyType) and instruction.attr in target.slots:
                    why = problem(target.slots[instruction.attr], state.typemap[instruction.value.name])
                    if why is not None:
                        raise TypingError(why, loc=instruction.loc)
        return False


class StrategyCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's pipeline with the check in it."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(CheckAssignments, NopythonTypeInference)
        pipeline.finalize()
        return [pipeline]
