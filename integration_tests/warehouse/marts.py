"""What each mart has to hold, by the sandbox's own word. Nothing here has passed through the connector."""

from __future__ import annotations

import json
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sandbox import TOKEN, Row, Sandbox

# As in project/seeds/store_time_zones.csv; the others have the default of the package.
ZONES = {1: "Europe/Berlin", 2: "America/New_York", 3: "Asia/Tokyo"}
SALES = {"paid", "contested", "reviewed"}

Mart = dict[tuple, tuple]


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) if text else None


def day(text: str, store: int) -> date:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(ZONES.get(store, "UTC"))).date()


class Truth:
    """The sandbox at one moment. Its clock stands still meanwhile."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.orders = {order["id"]: order for order in sandbox.expected()}
        self.versions = sandbox.expected("versions")
        self.lines = sandbox.expected("lines")
        self.contests = sandbox.expected("contests")
        self.names = {product["id"]: product["name"] for product in sandbox.expected("products")}
        self.sessions = list(self._sessions())
        shown = {(str(order["id"]), order["version"]): order for order in self._orders()}
        now = {id: shown[id, order["version"]] for id, order in self.orders.items()}
        self.now = now
        # The visit that an order came of, and the lines that the retailer's system has added: not told elsewhere.
        self.visit = {id: order["sessionId"] for id, order in now.items()}
        self.visit_of_version = {key: order["sessionId"] for key, order in shown.items()}
        self.created = {key: order["createdAt"] for key, order in shown.items()}
        self.added = {
            (id, str(line["id"]))
            for id, order in now.items()
            for line in order["products"]
            if line["isExternallyAdded"]
        }

    def _get(self, path: str) -> list[Row]:
        request = urllib.request.Request(self.sandbox.base_url() + path)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["data"]

    def _orders(self) -> Iterator[Row]:
        for page in range(1_000):
            rows = self._get(f"/orders?pageSize=100&includeProducts=true&page={page}")
            yield from rows
            if not rows:
                return

    def _sessions(self) -> Iterator[Row]:
        after = ""
        for _ in range(1_000):
            rows = self._get(f"/sessions?orderBy=id&count=50{after}")
            yield from rows
            if not rows:
                return
            after = f"&after={rows[-1]['id']}"

    def sales(self) -> list[Row]:
        return [order for order in self.orders.values() if order["status"] in SALES]

    def orders_current(self) -> Mart:
        return {
            (self.visit[order["id"]],): (
                int(order["id"]),
                order["version"],
                order["status"],
                str(order["store_id"]),
                Decimal(order["total_price"]),
                moment(order["updated_at"]),
            )
            for order in self.orders.values()
        }

    def order_lines_current(self) -> Mart:
        return {
            (int(line["order_id"]), int(line["id"])): (
                line["product_id"],
                Decimal(line["quantity"]),
                Decimal(line["subtotal_price"]),
                Decimal(line["total_tax"]),
                Decimal(line["total_price"]),
            )
            for line in self.lines
        }

    def daily_store_sales(self) -> Mart:
        sums: dict[tuple, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0), Decimal(0)])
        for order in self.sales():
            key = (str(order["store_id"]), day(order["draft_created_at"], order["store_id"]))
            sums[key][0] += 1
            sums[key][1] += order["status"] == "contested"
            sums[key][4] += Decimal(order["total_price"])
        for line in self.lines:
            order = self.orders[line["order_id"]]
            if order["status"] in SALES:
                key = (str(order["store_id"]), day(order["draft_created_at"], order["store_id"]))
                sums[key][2] += Decimal(line["subtotal_price"])
                sums[key][3] += Decimal(line["total_tax"])
        return {key: tuple(values) for key, values in sums.items()}

    def product_sales(self) -> Mart:
        sums: dict[tuple, list[Any]] = defaultdict(lambda: ["", Decimal(0), set(), Decimal(0)])
        for line in self.lines:
            order = self.orders[line["order_id"]]
            if order["status"] not in SALES:
                continue
            sold = day(order["draft_created_at"], order["store_id"])
            values = sums[str(order["store_id"]), sold, line["product_id"]]
            values[0] = self.names[line["product_id"]]
            values[1] += Decimal(line["quantity"])
            values[2].add(order["id"])
            values[3] += Decimal(line["total_price"])
        return {key: (name, units, len(ids), total) for key, (name, units, ids, total) in sums.items()}

    def order_corrections(self) -> Mart:
        by_visit = {self.visit[order["id"]]: order for order in self.orders.values()}
        found = {}
        for contest in self.contests:
            original = Decimal(contest["original_total_price"])
            reviewed = contest["reviewed_total_price"]
            order = by_visit[contest["session_id"]]
            found[(int(contest["id"]),)] = (
                str(contest["store_id"]),
                contest["status"],
                original,
                Decimal(contest["contested_total_price"]),
                reviewed and Decimal(reviewed),
                original - Decimal(reviewed) if contest["status"] == "reviewed" else None,
                Decimal(order["total_price"]),
                order["status"] == "reviewed",
            )
        return found

    def visits(self) -> Mart:
        newest = max(moment(order["draft_created_at"]) for order in self.orders.values())
        by_visit = {self.visit[order["id"]]: order for order in self.orders.values()}
        found = {}
        for session in self.sessions:
            order = by_visit.get(session["sessionId"])
            total = order and Decimal(order["total_price"])
            entered = moment(session["customerFirstEnteredAt"])
            exited = moment(session["customerLastExitedAt"])
            found[(session["id"],)] = (
                str(session["storeId"]),
                day(session["createdAt"], session["storeId"]),
                int((exited - entered).total_seconds()),
                exited <= newest,
                order is not None,
                bool(total and total > 0),
                total,
            )
        return found

    def order_history(self) -> Mart:
        by_visit: dict[str, list[Row]] = defaultdict(list)
        for version in self.versions:
            visit = self.visit_of_version[version["id"], version["version"]]
            by_visit[visit].append(version)
        found = {}
        for versions in by_visit.values():
            versions.sort(key=lambda version: version["version"])
            begins = [
                moment(version["draft_created_at"] if at == 0 else self.created[version["id"], version["version"]])
                for at, version in enumerate(versions)
            ]
            totals = [Decimal(version["total_price"]) for version in versions]
            for at, version in enumerate(versions):
                found[int(version["id"]), version["version"]] = (
                    version["status"],
                    totals[at],
                    totals[at] - totals[at - 1] if at else None,
                    begins[at],
                    begins[at + 1] if at + 1 < len(versions) else NO_END,
                    at + 1 == len(versions),
                )
        return found

    def aifi_console_metrics(self) -> Mart:
        created = {session["sessionId"]: session["createdAt"] for session in self.sessions}
        sums: dict[tuple, list[Any]] = defaultdict(lambda: [set(), Decimal(0), Decimal(0)])
        day_of = {}
        for order in self.sales():
            when = created.get(self.visit[order["id"]], order["draft_created_at"])
            day_of[order["id"]] = (str(order["store_id"]), day(when, order["store_id"]))
            sums[day_of[order["id"]]][0].add(order["id"])
        for line in self.lines:
            if line["order_id"] in day_of and (line["order_id"], line["id"]) not in self.added:
                sums[day_of[line["order_id"]]][1] += Decimal(line["quantity"])
                sums[day_of[line["order_id"]]][2] += Decimal(line["total_price"])
        return {key: (len(ids), units, total) for key, (ids, units, total) in sums.items()}


# An end that is null. fakesnow hands it out as 1970, so it is asked for as a moment.
NO_END = datetime(9999, 12, 31)
END = "coalesce(valid_until, timestamp '9999-12-31 00:00:00')"

# The columns that are compared: those of the key, then those of the values.
COLUMNS: dict[str, tuple[list[str], list[str]]] = {
    "orders_current": (
        ["visit_key"],
        ["order_id", "version", "status", "store_id", "total_price", "updated_at"],
    ),
    "order_lines_current": (
        ["order_id", "order_line_id"],
        ["product_id", "quantity", "subtotal_price", "total_tax", "total_price"],
    ),
    "daily_store_sales": (
        ["store_id", "sold_on"],
        ["orders", "orders_under_review", "net_revenue", "tax", "revenue"],
    ),
    "product_sales": (
        ["store_id", "sold_on", "product_id"],
        ["name", "units", "orders", "revenue"],
    ),
    "order_corrections": (
        ["contest_id"],
        [
            "store_id",
            "status",
            "original_total_price",
            "contested_total_price",
            "reviewed_total_price",
            "refunded",
            "order_total_price",
            "payment_refunded",
        ],
    ),
    "visits": (
        ["customer_shopping_session_id"],
        [
            "store_id",
            "visited_on",
            "seconds_inside",
            "is_complete",
            "has_order",
            "is_purchase",
            "total_price",
        ],
    ),
    "order_history": (
        ["order_id", "version"],
        ["status", "total_price", "total_price_change", "valid_from", END, "is_current"],
    ),
    "aifi_console_metrics": (["store_id", "visited_on"], ["orders", "units", "revenue"]),
}
# Of a stream that the sandbox's syncs do not have: it is written by hand.
BY_HAND: dict[str, tuple[list[str], list[str]]] = {
    "checkout_reconciliation": (
        ["finding", "visit_key"],
        ["order_id", "order_total_price", "event_total_price", "shown_payment_status", "answered_payment_status"],
    ),
}


def right(truth: Truth, mart: str) -> Mart:
    return getattr(truth, mart)()


def select(mart: str, schema: str) -> str:
    key, values = (COLUMNS | BY_HAND)[mart]
    return f"select {', '.join([*key, *values])} from {schema}.{mart}"


def found(mart: str, rows: list[tuple]) -> Mart:
    """The rows of a mart by its key. A warehouse may give a moment its zone: all are UTC."""
    width = len((COLUMNS | BY_HAND)[mart][0])
    of: Mart = {}
    for row in rows:
        plain = tuple(
            value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in row
        )
        key, values = plain[:width], plain[width:]
        assert key not in of, f"{mart} has {key} twice"
        of[key] = values
    return of


def assert_right(truth: Truth, mart: str, rows: list[tuple]) -> None:
    wanted, has = right(truth, mart), found(mart, rows)
    missing, more = wanted.keys() - has.keys(), has.keys() - wanted.keys()
    assert wanted and not missing and not more, f"{mart}: missing {list(missing)[:5]}, too many {list(more)[:5]}"
    wrong = {key: (has[key], values) for key, values in wanted.items() if has[key] != values}
    assert not wrong, f"{mart}: found and right: {list(wrong.items())[:3]}"
