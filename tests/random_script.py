"""Random requests of each decision, near the prices that the decision can see."""

from __future__ import annotations

import random
from typing import Any

from case import HOUR, TICK, Bar, Cancel, CancelAll, Link, Protect, Rebalance, Replace, Request, Submit

SIMPLE = ("market", "market", "limit", "limit", "stop", "stop", "stop_limit", "stop_limit")
ALL = (*SIMPLE, "touch", "touch", "touch_limit", "touch_limit", "trail", "trail", "trail_limit", "trail_limit")
GENERATIONS = 6
"""Orders have at most so many before they may have no child of the script: of the eight that there may be, exits need one."""
FRACTIONS = (1.0, 1.0, 1.0, 0.5, 0.25)
RATES = (0.015625, 0.03125, 0.02)
"""Two that float64 holds exactly, so that touches stay exact, and one that it does not."""


class RandomScript:
    """Draws requests; those of a `rich` script use groups, triggers, times in force and relative prices.

    The first come when `days` sessions of every symbol have begun.
    """

    def __init__(
        self,
        rng: random.Random,
        bars: list[Bar],
        universe: list[str],
        config: dict[str, Any],
        *,
        rich: bool,
        days: int = 0,
    ) -> None:
        self.rng = rng
        self.bars = bars
        self.universe = universe
        self.config = config
        self.rich = rich
        self.margin = config["account"]["kind"] == "margin"
        self.valuation = config["orders"]["valuation"]
        self.busy = rng.choice((0.35, 0.6, 0.9))
        self.submitted: list[Submit] = []
        self.first_of_decision = 0
        self.days = days
        self.ranges = 0

    def requests(self) -> dict[int, list[Request]]:
        decisions = sorted({bar.end for bar in self.bars})
        script: dict[int, list[Request]] = {}
        for n, now in enumerate(decisions):
            self.first_of_decision = len(self.submitted)
            if self.rng.random() < self.busy and self._has_days(now):
                script[n] = [self._request(now, decisions) for _ in range(self.rng.choice((1, 1, 2, 3)))]
        return script

    def _has_days(self, now: int) -> bool:
        known = [{bar.session_close for bar in self._known(symbol, now)} for symbol in self.universe]
        return all(len(sessions) >= self.days for sessions in known)

    def _request(self, now: int, decisions: list[int]) -> Request:
        recent = list(enumerate(self.submitted))[-5:]
        draw = self.rng.random()
        if recent and draw < 0.08:
            return Cancel(self.rng.choice(recent)[0])
        if recent and draw < 0.2:
            nth, submit = self.rng.choice(recent)
            fields = self._replacement(submit, now)
            if fields:
                return Replace(nth, fields)
        if self.rich:
            if len(recent) > 1 and draw < 0.26:
                return Link(
                    tuple(
                        sorted(nth for nth, _ in self.rng.sample(recent, self.rng.choice((2, 2, 3)[: len(recent) - 1])))
                    )
                )
            if draw > 0.955:
                known = [symbol for symbol in self.universe if len(self._known(symbol, now)) > 1]
                if draw > 0.985 or not known:
                    return CancelAll(self.rng.choice((*self.universe, None)))
                return self._protect(now, known) if draw > 0.97 else self._rebalance(known)
            if recent and draw < 0.42 and (child := self._child(now, decisions)) is not None:
                self.submitted.append(child)
                return child
        submit = self._submit(now, decisions)
        self.submitted.append(submit)
        return submit

    # -------------------------------------------------------------------------------------------------------- numbers

    def _known(self, symbol: str, now: int) -> list[Bar]:
        return [bar for bar in self.bars if bar.symbol == symbol and bar.end <= now]

    def _lot(self, symbol: str) -> float:
        instruments = self.config["instruments"]
        return float(instruments.get("symbols", {}).get(symbol, instruments["default"])["lot_size"])

    def _quantity(self, symbol: str) -> float:
        lot = self._lot(symbol)
        if lot == 10.0:
            return self.rng.choice((10.0, 10.0, 20.0, 30.0, 40.0, 5.0))
        small = self.rng.choice((1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 30.0))
        return small + (0.5 if lot == 0.0 and self.rng.random() < 0.5 else 0.0)

    def _level(self, symbol: str, now: int, side: int = 0) -> float:
        known = self._known(symbol, now)
        near = known[-1] if known else next(bar for bar in self.bars if bar.symbol == symbol)
        price = self.rng.choice((near.open, near.high, near.low, near.close, near.close))
        return float(price + (self.rng.randint(-3, 3) + side * self.rng.choice((0, 0, 2))) * TICK)

    def _distance(self) -> dict[str, Any]:
        draw = self.rng.random()
        if draw < 0.3:
            return {"rate": self.rng.choice(RATES)}
        if draw < 0.45 and self.ranges:  # counts by which float64 divides exactly, so that touches stay exact
            return {
                "atr": (self.rng.choice([n for n in (1, 2, 4) if n <= self.ranges]), self.rng.choice((0.5, 1.0, 2.0)))
            }
        return {"amount": self.rng.randint(1, 8) * TICK}

    def _offset(self, of: str, side: int = 0) -> dict[str, Any]:
        """An offset, mostly upwards for side +1 and downwards for −1."""
        way = (side or self.rng.choice((1, -1))) * self.rng.choice((1, 1, 1, 1, -1))
        (unit, size), *_ = self._distance().items()
        return {unit: (size[0], way * size[1]) if unit == "atr" else way * size, "of": of}

    def _know(self, symbol: str, now: int) -> None:
        """Distances are drawn for this symbol: of true ranges it has one less than bars. Flat ones are no distance."""
        known = self._known(symbol, now)[-2:] if self.rich else []
        is_flat = not known or known[-1].high == known[-1].low
        self.ranges = 0 if is_flat else len(self._known(symbol, now)) - 1

    # --------------------------------------------------------------------------------------------------------- orders

    def _submit(self, now: int, decisions: list[int]) -> Submit:
        rng = self.rng
        seen = 2 if self.valuation == "previous_close" else 1
        known = [symbol for symbol in self.universe if len(self._known(symbol, now)) >= seen]
        symbol = rng.choice(known) if known and rng.random() < 0.97 else rng.choice(self.universe)
        method = rng.choice(("buy",) * 6 + ("sell",) * 4 + ("order_target_quantity", "order_target_value"))
        method = rng.choice((method,) * 7 + ("order_target_percent", "close"))
        if symbol not in known and method not in ("buy", "sell"):
            method = "buy"
        if method == "close":
            return Submit(method, symbol)
        self._know(symbol, now)
        kwargs = self._amount(method, symbol, sized=symbol in known)
        deferred_target = self.valuation == "fill_price" and method.startswith("order_target")
        if not deferred_target:  # such an order has no direction before its fill, so no price to wait for
            side = {"buy": 1, "sell": -1}.get(method, 0)
            kwargs |= self._prices(symbol, now, side, can_lean=symbol in known)
        kwargs |= self._life(kwargs, now, decisions)
        if method in ("buy", "sell") and rng.random() < 0.1:
            kwargs["reduce_only"] = True
        elif self.rich and rng.random() < (0.2 if method == "buy" else 0.1 if method == "sell" and self.margin else 0):
            kwargs |= self.exits(can_lean=symbol in known)
        return Submit(method, symbol, kwargs)

    def _amount(self, method: str, symbol: str, sized: bool) -> dict[str, Any]:
        rng = self.rng
        multiplier = self.config["instruments"]["default"]["multiplier"]
        if method in ("buy", "sell"):
            kind = rng.choice(("quantity",) * 5 + ("value", "percent")) if sized else "quantity"
            if kind == "quantity":
                return {"quantity": self._quantity(symbol)}
            if kind == "value":
                return {"value": rng.choice((250.0, 500.0, 1500.0, 4000.0)) * multiplier}
            return {"percent": rng.choice((0.1, 0.25, 0.5, 0.75, 1.0, 1.25))}
        sign = rng.choice((1, 1, -1)) if self.margin else 1
        if method == "order_target_quantity":
            return {"target": sign * rng.choice((0.0, self._quantity(symbol), self._quantity(symbol) + 2.0))}
        if method == "order_target_value":
            return {"target": sign * rng.choice((0.0, 600.0, 2000.0, 5000.0)) * multiplier}
        return {"target": sign * rng.choice((0.0, 0.2, 0.5, 0.9, 1.0))}

    def _prices(self, symbol: str, now: int, side: int, *, can_lean: bool) -> dict[str, Any]:
        """A trigger, a limit, both or none, near the last bar or relative to the mark."""
        rng, kwargs = self.rng, dict[str, Any]()
        kind = rng.choice(ALL if self.rich else SIMPLE)

        def price(way: int) -> Any:
            if self.rich and can_lean and rng.random() < 0.12:
                return self._offset("last", way)
            return self._level(symbol, now, way)

        if kind == "market":
            return {}
        if kind == "limit":
            kwargs["limit"] = price(-side)
            if self.rich and rng.random() < 0.12:
                kwargs["post_only"] = True
            return kwargs
        trigger = kind.removesuffix("_limit")
        if trigger == "trail":
            kwargs["trail"] = {**self._distance(), "ratchet": rng.choice(("path", "path", "close"))}
        else:
            kwargs[trigger] = price(side if trigger == "stop" else -side)
        if kind.endswith("_limit"):
            kwargs["limit"] = self._second_limit(symbol, now, kwargs.get(trigger), trigger)
        if self.rich and rng.random() < 0.15:
            kwargs["activation"] = price(-side)
        return kwargs

    def _second_limit(self, symbol: str, now: int, level: Any, trigger: str) -> Any:
        rng = self.rng
        if self.rich and (trigger == "trail" or isinstance(level, dict) or rng.random() < 0.15):
            if trigger == "trail" and rng.random() < 0.3:
                return self._level(symbol, now)
            return {"amount": rng.randint(-3, 3) * TICK, "of": "stop"}
        return level + rng.randint(-3, 3) * TICK

    def _life(self, kwargs: dict[str, Any], now: int, decisions: list[int]) -> dict[str, Any]:
        rng = self.rng
        if not self.rich:
            if rng.random() < 0.25:
                return {"tif": "DAY"}
            return {"tif": "GTD", "until": self._until(now, decisions)} if rng.random() < 0.15 else {}
        waits = any(name in kwargs for name in ("stop", "touch", "trail"))
        tif = rng.choice(
            ("GTC",) * 10 + ("DAY",) * 4 + ("GTD", "GTD", "BARS") + (() if waits else ("IOC", "FOK", "OPG", "CLS"))
        )
        if tif in ("IOC", "FOK", "OPG", "CLS"):
            kwargs.pop("post_only", None)
        if tif == "GTC":
            return {}
        if tif == "GTD":
            return {"tif": tif, "until": self._until(now, decisions)}
        return {"tif": tif, "bars": rng.choice((1, 2, 3, 5))} if tif == "BARS" else {"tif": tif}

    def _until(self, now: int, decisions: list[int]) -> int:
        """A later decision, or a moment inside or between bars; whole microseconds, as the API takes datetimes."""
        later = [time for time in decisions if time > now][:4]
        if later and self.rng.random() < 0.6:
            return -(-self.rng.choice(later) // 1000) * 1000
        return (now // HOUR + 1) * HOUR + self.rng.choice((0, HOUR // 2, 2 * HOUR, 30 * HOUR))

    def _replacement(self, submit: Submit, now: int) -> dict[str, float]:
        """New values for fields that the order is sure to have."""
        fields: dict[str, float] = {}
        for name in ("limit", "stop", "touch"):
            if name in submit.kwargs and self.rng.random() < 0.7:
                fields[name] = self._level(submit.symbol, now)
        if "quantity" in submit.kwargs and self.rng.random() < 0.5:
            lot = self._lot(submit.symbol)
            fields["quantity"] = self.rng.choice((1.0, 2.0, 4.0)) * (lot or 1.5)
        return fields

    # --------------------------------------------------------------------------------------------------------- groups

    def _generation(self, nth: int) -> int:
        """How many orders there are from the first of its parents to this one."""
        parent = self.submitted[nth].kwargs.get("parent")
        return 1 if parent is None else 1 + self._generation(parent)

    def _child(self, now: int, decisions: list[int]) -> Submit | None:
        """A child of an order of this decision, or of one before that may not have filled yet."""
        rng = self.rng
        parents = [
            (nth, submit)
            for nth, submit in list(enumerate(self.submitted))[-4:]
            if submit.method in ("buy", "sell") and (nth >= self.first_of_decision or rng.random() < 0.3)
        ]
        parents = [(nth, submit) for nth, submit in parents if self._generation(nth) < GENERATIONS]
        if not parents:
            return None
        nth, parent = rng.choice(parents)
        self._know(parent.symbol, now)
        method = {"buy": "sell", "sell": "buy"}[parent.method] if rng.random() < 0.85 else parent.method
        side = 1 if method == "buy" else -1
        can_lean = bool(self._known(parent.symbol, now))
        kwargs: dict[str, Any] = {"parent": nth}
        if rng.random() < 0.25:
            kwargs["quantity"] = self._quantity(parent.symbol)
        else:
            kwargs["fraction"] = rng.choice(FRACTIONS)
        kwargs |= self._prices(parent.symbol, now, side, can_lean=can_lean)
        references = ["fill", "fill", "average"]
        if can_lean:
            references += ["signal"] if nth >= self.first_of_decision else []
        for name, way in (("limit", -side), ("stop", side), ("touch", -side), ("activation", -side)):
            if name in kwargs and not isinstance(kwargs[name], dict) and rng.random() < 0.6:
                if name == "limit" and not {"stop", "touch", "trail"}.isdisjoint(kwargs):
                    kwargs[name] = {"amount": rng.randint(-3, 3) * TICK, "of": "stop"}
                else:
                    kwargs[name] = self._offset(rng.choice(references), way)
        life = self._life(kwargs, now, decisions)
        return Submit(method, parent.symbol, kwargs | (life if life.get("tif") != "GTD" else {}))

    def rules(self) -> dict[str, Any]:
        """Exits of a strategy."""
        rng, found = self.rng, self.exits(can_lean=False)
        found["basis"] = rng.choice(("fill", "average"))
        found["profit_by"] = rng.choice(("limit", "touch"))
        for name in ("stop_loss", "break_even"):
            if name in found and rng.random() < 0.5:
                del found[name]["of"]  # it is measured from the basis
        return found

    def exits(self, *, can_lean: bool) -> dict[str, Any]:
        """Some of the exits that one call can ask for."""
        rng, found = self.rng, dict[str, Any]()

        def distance() -> dict[str, Any]:
            of = rng.choice(("fill", "fill", "average", *(("signal",) if can_lean else ())))
            return {**self._distance(), "of": of}

        if rng.random() < 0.7:
            found["stop_loss"] = distance()
        if rng.random() < 0.7:
            found["take_profit"] = distance()
            if rng.random() < 0.2:
                found["take_profit"] = [(distance(), 0.5), (rng.choice((None, distance())), 0.5)]
        if rng.random() < 0.3:
            found["trailing_stop"] = {**self._distance(), "ratchet": rng.choice(("path", "close"))}
        if rng.random() < 0.2:
            found["break_even"] = {**self._distance(), "of": "fill"}
        if rng.random() < 0.25:
            found["max_bars"] = rng.choice((1, 2, 4))
        return found or {"max_bars": rng.choice((1, 2, 4))}

    # ------------------------------------------------------------------------------------------------------ portfolios

    def _protect(self, now: int, known: list[str]) -> Protect:
        symbol = self.rng.choice(known)
        self._know(symbol, now)
        return Protect(symbol, self.exits(can_lean=True))

    def _rebalance(self, known: list[str]) -> Rebalance:
        """Weights of some symbols, in any order; exact parts of equity now and then, so that limits are just met."""
        rng = self.rng
        names = rng.sample(known, rng.randint(0, len(known)))
        signs = (1, 1, 1, -1) if self.margin else (1,)
        weights = tuple((name, rng.choice(signs) * rng.choice((0.0, 0.1, 0.25, 0.5))) for name in names)
        return Rebalance(
            weights, rng.choice((0.0, 0.0, 500.0)), rng.choice((0.0, 0.0, 0.02, 0.125)), rng.choice((0.0, 0.0, 0.05))
        )
