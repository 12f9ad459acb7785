"""What a person needs to act on a mismatch: the case, the first divergence, both books around it, the rules in play."""

from parity.book import Book, Difference
from parity.case import Case


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
    return "\n".join(lines)
