"""How config reads and writes a closed choice."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ml4t.backtest.errors import nearest

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


class ByName:
    """Annotation of an enum field: config reads a member or its name in any case, and writes the lower-case name."""

    @classmethod
    def __get_pydantic_core_schema__(cls, choice: type[IntEnum], handler: object) -> "CoreSchema":
        """The schema pydantic uses for a field of this choice."""
        from pydantic_core import core_schema  # here, so that the kernel does not pay for pydantic

        names = [member.name.lower() for member in choice]

        def member_of(value: Any) -> IntEnum:
            if isinstance(value, choice):
                return value
            if isinstance(value, str) and value.lower() in names:
                return choice[value.upper()]
            raise ValueError(f"must be one of {', '.join(names)}.{nearest(str(value).lower(), names)}")

        return core_schema.no_info_plain_validator_function(
            member_of,
            json_schema_input_schema=core_schema.literal_schema(names),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda member: member.name.lower(), return_schema=core_schema.str_schema(), when_used="json"
            ),
        )
