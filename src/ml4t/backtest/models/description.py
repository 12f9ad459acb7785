"""What all descriptions of models share: how config reads them, and the ranges of their numbers."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Lt, doc

Rate = Annotated[float, Ge(0), Lt(1), doc("a fraction of value: 0.001 means 0.1 %; was a percentage given?")]
Amount = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Description:
    """Base of the descriptions: unknown fields, NaN and infinities are refused when config reads one."""

    __pydantic_config__: ClassVar[dict[str, object]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
        "revalidate_instances": "always",
    }
