"""Results up to t do not change when data after t is changed or removed (end rules: mark, for a symbol's last bar is known to `close`)."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from cases import TICK, Bar, Case, Submit
from drawn_cases import EFFORT, cases, seeded_cases
from observation import Observation, Row, observe

MARK = {"run": "mark", "symbol": "mark"}
ALL_CASES = st.one_of(cases(config={"end": MARK}), seeded_cases())


def marked(case: Case) -> Case:
    return dataclasses.replace(case, config={**case.config, "end": MARK})


def moments(case: Case) -> list[int]:
    """Instants of the case, and moments between them."""
    times = sorted({time for bar in case.bars for time in (bar.start, bar.end)})
    return sorted({*times, *((a + b) // 2 for a, b in pairwise(times))})


def known_script(case: Case, time: int) -> dict[int, Any]:
    """What is asked for up to `time`: later requests may not be possible on other data."""
    decisions = sorted({bar.end for bar in case.bars})
    return {n: requests for n, requests in case.script.items() if decisions[n] <= time}


def changed(bar: Bar, time: int) -> Bar:
    """The bar with other values where they become known after `time`: the open and its quote at its start, all else at its end.

    One thing is taken to be known at the start that is not: the volume, of which `fills.participation.basis = "bar"` and some
    slippage hand out a share at the open already (docs/semantics/fills.md says so).
    """
    if bar.end <= time:
        return bar
    has_started = bar.start <= time
    first = bar.open if has_started else bar.open + 7 * TICK
    high, low, close = first + 9 * TICK, first - 11 * TICK, first - 5 * TICK
    later = {"bid": close - TICK, "ask": close, "vwap": close}
    if not has_started:
        later |= {"open_bid": first - TICK, "open_ask": first}
    quotes = {name: value for name, value in later.items() if getattr(bar, name) is not None}
    volume = bar.volume if has_started else 1.0
    return dataclasses.replace(bar, open=first, high=high, low=low, close=close, volume=volume, **quotes)


def finer_known(case: Case, time: int) -> list[Bar]:
    """The finer bars inside bars that have ended."""
    ended = [bar for bar in case.bars if bar.end <= time]
    return [
        fine
        for fine in case.finer
        if any(bar.symbol == fine.symbol and bar.start <= fine.start < bar.end for bar in ended)
    ]


def past(run: Observation, time: int) -> dict[str, list[Row]]:
    """Everything that was done up to `time`."""
    # Under `queue` what happens at an open is decided at the bar's end, and carries the time of the start.
    pending = {(bar.symbol, bar.start) for bar in run.case.bars if run.is_queue and bar.start <= time < bar.end}
    fills = [n for n, fill in enumerate(run.fills) if fill["happened"] <= time]
    symbols = {number: order["symbol"] for number, order in run.orders.items()}
    static = ("order_id", "symbol", "type", "origin", "time_in_force", "submitted_at")
    return {
        "fills": [{k: v for k, v in run.fills[n].items() if k != "bar"} for n in fills],
        "journal": [entry for entry in run.journal if entry["fill_id"] - 1 in fills],
        "events": [
            event
            for event in run.events
            if event["timestamp"] <= time
            and ((symbols[event["order_id"]], event["timestamp"]) not in pending or event["reason"] == "admitted")
            and (event["fill"] is None or event["fill"] in fills)
        ],
        "equity": [point for point in run.equity if point["timestamp"] <= time],
        "orders": [
            {name: order[name] for name in static} for order in run.orders.values() if order["submitted_at"] <= time
        ],
    }


@EFFORT
@given(case=ALL_CASES, data=st.data())
def test_later_data_may_be_changed(case: Case, data: st.DataObject) -> None:
    case = marked(case)
    time = data.draw(st.sampled_from(moments(case)))
    script = known_script(case, time)
    bars = [changed(bar, time) for bar in case.bars]
    other = dataclasses.replace(case, bars=bars, script=script, finer=finer_known(case, time))
    assert past(observe(other), time) == past(observe(case), time)


@EFFORT
@given(case=ALL_CASES, data=st.data())
def test_later_data_may_be_removed(case: Case, data: st.DataObject) -> None:
    case = marked(case)
    first = {symbol: min(bar.start for bar in case.bars if bar.symbol == symbol) for symbol in case.universe}
    time = data.draw(st.sampled_from([time for time in moments(case) if time >= max(first.values())]))
    kept = [changed(bar, time) for bar in case.bars if bar.start <= time]
    # which bar is the last of its session is read from the data, so an order for the close sees that far
    asked = (request for requests in case.script.values() for request in requests if isinstance(request, Submit))
    assume(all(request.kwargs.get("tif") != "CLS" for request in asked))
    other = dataclasses.replace(case, bars=kept, script=known_script(case, time), finer=finer_known(case, time))
    end = min(time, max(bar.end for bar in kept))  # no timer fires after the run's last instant
    assert past(observe(other), end) == past(observe(case), end)
