"""What verifying a run can find, in words."""

from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """What verifying a run found. With several findings the lowest number after IDENTICAL is the outcome."""

    IDENTICAL = 0
    ARTIFACT_CHANGED = 1
    CONFIG_CHANGED = 2
    DATA_CHANGED = 3
    SOURCE_CHANGED = 4
    CANNOT_VERIFY = 5
    VERSIONS_CHANGED = 6
    RESULT_DIFFERS = 7

    @property
    def message(self) -> str:
        """The outcome in a sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Outcome.IDENTICAL: "Identical: running it again gave every artifact byte for byte.",
    Outcome.ARTIFACT_CHANGED: "A file of the run directory is not as it was written.",
    Outcome.CONFIG_CHANGED: "The configuration in the run directory is not the one that was run.",
    Outcome.DATA_CHANGED: "The input data is not what the run read.",
    Outcome.SOURCE_CHANGED: "The strategy's source is not what was run.",
    Outcome.CANNOT_VERIFY: "Cannot verify: what is needed to run it again was not kept.",
    Outcome.VERSIONS_CHANGED: "The result differs, and so do the versions it was computed with.",
    Outcome.RESULT_DIFFERS: "The result differs although data, source, configuration and versions are the same.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was: what kind, which file, input or package, and how."""

    outcome: Outcome
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject} {self.message}"


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`; `notes` are changes that turned out not to matter."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_identical(self) -> bool:
        """Whether running again gave the same bytes."""
        return self.outcome is Outcome.IDENTICAL

    @property
    def exit_code(self) -> int:
        """0 only for an identical run."""
        return int(not self.is_identical)

    def __str__(self) -> str:
        return "\n".join([self.outcome.message, *(f"  {line}" for line in (*self.findings, *self.notes))])
