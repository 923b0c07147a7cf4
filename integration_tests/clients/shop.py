"""Orders that live at the sandbox, and the events that come of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sandbox import Row, Sandbox

EVENTS = "checkout_events"

# Order, status and time of origin name an event at AiFi.
Name = tuple[int, str, datetime]


def live(sandbox: Sandbox, orders: int) -> None:
    """Orders are drafted and paid; one in three is contested and reviewed."""
    for number, order in enumerate(sandbox.control("POST", "orders", count=orders)["ids"]):
        if sandbox.control("POST", "pay", id=order)["id"] and number % 3 == 0:
            sandbox.control("POST", "contest", id=order)
            sandbox.control("POST", "review", id=order)


def pushed(sandbox: Sandbox) -> dict[str, Any]:
    """How many events wait, and the calls so far."""
    return sandbox.control("GET", "pushed")


def answered(calls: list[Row]) -> set[Name]:
    """The events that were acknowledged."""
    return {
        (call["orderId"], call["status"], datetime.fromisoformat(call["timeOfOrigin"]))
        for call in calls
        if call["answer"] == 200
    }


def acknowledged(sandbox: Sandbox) -> set[Name]:
    """The same, once no call is to come any more."""
    for _ in range(1200):
        now = pushed(sandbox)
        if now["waiting"] == 0:
            return answered(now["calls"])
        time.sleep(0.05)
    raise TimeoutError("events still wait")


def names(rows: list[Row]) -> set[Name]:
    """The events of a table, whose times are in UTC."""
    return {
        (row["orderId"], row["status"], row["timeOfOrigin"].replace(tzinfo=UTC)) for row in rows
    }
