"""python -m parity environments | fuzz PEER | coverage PEER | case PEER SEED NUMBER (docs/parity/README.md)."""

import argparse
import sys

from parity import environment
from parity.laboratory import coverage, drawn, examined


def main() -> int:
    """The exit code: 0 where everything is equal, 1 where something differs or is not covered."""
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("environments", help="build the environment of every peer")
    for name in ("fuzz", "coverage", "case"):
        command = commands.add_parser(name)
        command.add_argument("peer", choices=environment.peers())
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--cases", type=int, default=10_000)
        command.add_argument("--number", type=int, default=0, help="case: which of the seed's cases")
    given = parser.parse_args()
    if given.command == "environments":
        for peer in environment.peers():
            print(peer, environment.version(peer), environment.python_of(peer), flush=True)
        return 0
    if given.command == "coverage":
        counts = coverage(given.peer, drawn(given.peer, given.seed, given.cases))
        for option, count in counts.items():
            print(f"{option}: {count} cases in which switching it changes {given.peer}")
        return int(min(counts.values()) < 50)
    cases = drawn(given.peer, given.seed, given.cases if given.command == "fuzz" else given.number + 1)
    if given.command == "case":
        cases = list(cases)[given.number :]
    verdict = examined(given.peer, cases, told=lambda text: print(text, flush=True))
    print(f"{given.peer} {environment.version(given.peer)}: {verdict.line()}", *verdict.exceptions.items())
    return int(not verdict.is_equal)


sys.exit(main())
