"""Requests in the kernel's terms."""

import inspect
from typing import Any

import pytest

from ml4t.backtest import Atr, Strategy, tables
from ml4t.backtest.broker import Broker
from ml4t.backtest.request import ORDER_NAMES, TARGET_NAMES, Ticket
from told import FLAT, bars, rows, told


def test_a_ticket_has_the_fields_of_the_table_in_their_order() -> None:
    name = {"post_only": "ORDER_POST_ONLY"}
    places = [getattr(tables, name.get(field, field.upper())) for field in Ticket._fields]
    assert places == list(range(tables.TICKET_SIZE))


def test_every_term_is_an_argument_of_some_name() -> None:
    """What `buy` names itself, and what it takes beside, is every term that there is."""
    named = set(inspect.signature(Broker.buy).parameters) - {"self", "symbol", "quantity", "more"}
    assert named & ORDER_NAMES == set()
    assert TARGET_NAMES - named == ORDER_NAMES - {"fraction", "funds", "lot", "parent"}
    assert named - TARGET_NAMES == {"value", "percent"}
    assert inspect.signature(Broker.buy).parameters == inspect.signature(Broker.sell).parameters


@pytest.mark.parametrize("rare", [{"stop_loss": Atr(1, 50)}, {"client_id": "x"}, {"touch": 50}])
def test_nothing_is_left_of_an_earlier_ticket(rare: dict[str, Any]) -> None:
    """A ticket with everything, then one with little, then an order without."""

    def ask(s: Strategy) -> None:
        s.broker.sell("A", 1, limit=120, post_only=True, tif="BARS", bars=3)
        s.broker.sell("A", 1, stop=101, activation=99, limit=130)
        s.broker.buy("A", 1, **rare)
        s.broker.buy("A", 1)

    _, result = told(lambda _: None, ask, data=bars(FLAT, (100, 101, 100, 101), FLAT))
    own = result.orders.filter(result.orders["parent_id"].is_null())
    terms = own.select("limit", "activation", "post_only", "bars", "trail_rate", "oco_group").rows()
    assert terms[0] == (120, None, True, 3, None, None)
    assert terms[1] == (130, 99, False, None, None, None)
    assert terms[2:] == [(None, None, False, None, None, None)] * 2
    assert rows(result, "type")[-1] == ("market",)
