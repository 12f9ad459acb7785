"""What a person needs to act on a mismatch: the case, the first divergence, both books around it, and the rules that matter."""

from ml4t.backtest import BacktestConfig
from parity.book import Book, Difference, difference
from parity.case import Case
from parity.subject import Subject


def explained(case: Case, ours: Book, theirs: Book, found: Difference, rules: dict[str, str]) -> str:
    """The divergence as text. `rules`: what our engine was told that is not its default, by config key."""
    first, last = max(0, found.bar - 2), found.bar + 1
    lines = [
        f"{case.peer}, {case.name}: {found.kind} differs at bar {found.bar} ({found.detail})",
        f"  ours:   {found.ours}",
        f"  theirs: {found.theirs}",
        f"  options: {case.options}",
        "  bars around it:",
    ]
    for symbol, rows in case.bars.items():
        lines += [f"    {symbol} {bar}: {rows[bar]}" for bar in range(first, min(last + 1, len(rows)))]
    lines.append("  requests until then:")
    lines += [f"    {request}" for request in case.script if request["bar"] <= found.bar]
    for who, book in (("ours", ours), ("theirs", theirs)):
        lines.append(f"  {who}:" + (f" {book.error}" if book.error else ""))
        lines += [f"    {fill}" for fill in book.fills if fill.bar <= last][-8:]
        lines += [f"    {point}" for point in book.points if first <= point.bar <= last]
        lines.append(f"    {book.orders}")
    lines.append("  rules that differ from our default:")
    lines += [f"    {key} = {value}" for key, value in rules.items()]
    lines.append(f"  the case: {case.to_json()}")
    return "\n".join(lines)


def weighed(subject: Subject, case: Case, ours: Book, theirs: Book) -> dict[str, str]:
    """The rules of the case, each with what its absence would do to it: nothing, another book, or the book of the peer."""
    defaults, rules = BacktestConfig().flatten(), subject.rules(case)
    for key in rules.keys() & defaults.keys() - {"profile"}:
        try:
            book = subject.run(case, **{key: defaults[key]})
        except Exception:  # noqa: BLE001, S112  # it cannot be left out alone, or `ours` reads the result by it
            continue
        if difference(book, theirs) is None:
            rules[key] += "  <- WITHOUT IT BOTH ARE EQUAL"
        elif difference(book, ours) is not None:
            rules[key] += "  <- matters here"
    return rules
