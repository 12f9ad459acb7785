"""The laboratory: cases through a peer and through us; what differs is counted, shrunk and explained."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from parity.book import Book, difference
from parity.case import Case
from parity.process import Peer
from parity.report import explained, weighed
from parity.shrink import shrunk
from parity.subject import subject_of

MOST_EXCEPTIONS = 0.01  # of the cases


@dataclass
class Verdict:
    """What came of a number of cases."""

    cases: int = 0
    fills: int = 0
    floors: int = 0  # cases that are equal when one quotient is nudged by at most 4 ulp before its floor
    exceptions: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether nothing differed but for known defects, and these are few."""
        return not self.mismatches and sum(self.exceptions.values()) <= max(1, MOST_EXCEPTIONS * self.cases)

    def line(self) -> str:
        """One line of the laboratory's table."""
        exceptions = sum(self.exceptions.values())
        counted = f"{self.cases} cases, {self.fills} fills, {len(self.mismatches)} mismatches"
        return f"{counted}, {exceptions} exceptions, {self.floors} at a floor"


def drawn(peer: str, seed: int, count: int) -> Iterable[Case]:
    """Seeded cases; case i of a seed is the same whatever the count."""
    subject = subject_of(peer)
    for i in range(count):
        yield subject.draw(random.Random(f"{peer}:{seed}:{i}")).with_(name=f"seed {seed} case {i}")  # noqa: S311


def examined(
    peer: str,
    cases: Iterable[Case],
    *,
    ours: Callable[[Case], Book] | None = None,
    most: int = 5,
    told: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """The verdict on the cases; it stops after `most` mismatches. `ours`: another engine in place of ours, for tests of the laboratory."""
    subject, verdict = subject_of(peer), Verdict()
    run = ours or subject.run
    with Peer(peer) as process:

        def kind(case: Case) -> str | None:
            found = difference(run(case), process.run(case))
            return found and found.kind

        for case in cases:
            mine, theirs = run(case), process.run(case)
            verdict.cases += 1
            verdict.fills += len(theirs.fills)
            if difference(mine, theirs) is not None:
                known = next((one.name for one in subject.exceptions if one.applies(case)), None)
                if known:
                    verdict.exceptions[known] += 1
                    continue
                if any(difference(run(other), theirs) is None for other in subject.nudged(case)):
                    verdict.floors += 1
                    continue
                first = kind(case)
                small = shrunk(case, lambda other: kind(other) == first, subject.defaults)  # noqa: B023
                mine, theirs = run(small), process.run(small)
                found = difference(mine, theirs)
                assert found is not None
                verdict.mismatches.append(explained(small, mine, theirs, found, weighed(subject, small, mine, theirs)))
                told(verdict.mismatches[-1])
                if len(verdict.mismatches) >= most:
                    break
            if verdict.cases % 500 == 0:
                told(verdict.line())
    return verdict


def coverage(peer: str, cases: Iterable[Case], wanted: int = 50) -> dict[str, int]:
    """For every option, the number of cases in which switching it to its default changes what the peer does (counted up to `wanted`)."""
    subject = subject_of(peer)
    counts = dict.fromkeys(subject.defaults, 0)
    with Peer(peer) as process:
        for case in cases:
            open_ = [
                key for key, count in counts.items() if count < wanted and case.options[key] != subject.defaults[key]
            ]
            if not open_ and all(count >= wanted for count in counts.values()):
                break
            book = process.run(case) if open_ else None
            for key in open_:
                switched = process.run(case.with_(options={**case.options, key: subject.defaults[key]}))
                counts[key] += difference(book, switched) is not None  # type: ignore[arg-type]
    return counts
