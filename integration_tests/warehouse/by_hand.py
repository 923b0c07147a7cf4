"""Tables written by hand, with what each mart has to make of them: the cases that the sandbox does not bring about.

Everything is appended, and twice, as by a connection without deduplication: rows that say the same, older versions that are
read again behind newer ones, lines of versions that are over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]

SCHEMA = "by_hand"
# Where dbt builds.
DBT_SCHEMA = "hand"
MARTS_SCHEMA = "hand_aifi"
MARTS = [
    "orders_current", "order_lines_current", "daily_store_sales", "product_sales", "order_corrections", "visits",
    "aifi_console_metrics", "checkout_reconciliation",
]
STREAMS = ["orders", "order_line_items", "contests", "sessions", "checkout_events"]
VARIABLES = {
    "aifi_schema": SCHEMA,
    # What rests on a guess warns: an order without a draft date is not what AiFi documents.
    "aifi_severity_of_guesses": "warn",
    "aifi_using_checkout_events": True,
    **{
        f"aifi_using_{stream}": False
        for stream in (
            "order_versions", "order_details", "stores", "products", "sync_audit", "unreadable_rows",
        )
    },
}

BERLIN, NEW_YORK, UTC_STORE, SANTIAGO = 1, 2, 4, 6
READ = "2025-11-01T00:00:00Z"
LATER = "2025-11-20T00:00:00Z"

# A moment, and the day that the clocks of the store show then. In Santiago the clocks change at midnight.
CLOCKS: list[tuple[int, str, str]] = [
    (BERLIN, "2025-03-29T22:59:59.999Z", "2025-03-29"),
    (BERLIN, "2025-03-29T23:00:00Z", "2025-03-30"),
    (BERLIN, "2025-03-30T00:59:59Z", "2025-03-30"),
    (BERLIN, "2025-03-30T21:59:59.999Z", "2025-03-30"),
    (BERLIN, "2025-03-30T22:00:00Z", "2025-03-31"),
    (BERLIN, "2025-10-25T21:59:59.999Z", "2025-10-25"),
    (BERLIN, "2025-10-25T22:00:00Z", "2025-10-26"),
    (BERLIN, "2025-10-26T00:30:00Z", "2025-10-26"),
    (BERLIN, "2025-10-26T01:30:00Z", "2025-10-26"),
    (BERLIN, "2025-10-26T22:59:59.999Z", "2025-10-26"),
    (BERLIN, "2025-10-26T23:00:00Z", "2025-10-27"),
    (NEW_YORK, "2025-03-09T04:59:59.999Z", "2025-03-08"),
    (NEW_YORK, "2025-03-09T05:00:00Z", "2025-03-09"),
    (NEW_YORK, "2025-03-10T03:59:59.999Z", "2025-03-09"),
    (NEW_YORK, "2025-03-10T04:00:00Z", "2025-03-10"),
    (SANTIAGO, "2025-04-06T02:59:59Z", "2025-04-05"),
    (SANTIAGO, "2025-04-06T03:00:00Z", "2025-04-05"),
    (SANTIAGO, "2025-04-06T03:59:59Z", "2025-04-05"),
    (SANTIAGO, "2025-04-06T04:00:00Z", "2025-04-06"),
    (SANTIAGO, "2025-09-07T03:59:59Z", "2025-09-06"),
    (SANTIAGO, "2025-09-07T04:00:00Z", "2025-09-07"),
]

# Amounts of the sales of a day in the store that has no time zone, and their sum. Floats give another one.
MONEY: dict[str, tuple[list[str], str]] = {
    "2025-06-01": (["0.10", "0.20"], "0.30"),
    "2025-06-02": (["900719925474099.13", "0.01", "0.01"], "900719925474099.15"),
    "2025-06-03": (["10.00", "-3.50"], "6.50"),
    "2025-06-04": (["1.1"] * 10, "11.0"),
}
# bqemulator has three decimals.
FINE_MONEY: dict[str, tuple[list[str], str]] = {
    "2025-07-01": (["0.0125", "0.0375", "-0.00000001"], "0.04999999"),
}


class Made:
    """What is in the tables, and what is right, before and after the later rows."""

    def __init__(self, kind: str) -> None:
        self.money = MONEY if kind == "bigquery" else MONEY | FINE_MONEY
        self.first: Tables = {stream: [] for stream in STREAMS}
        self.later: Tables = {stream: [] for stream in STREAMS}
        self._id = 1_000
        self.pushed_sales: list[str] = []
        self._clocks()
        self._money()
        self._corrections()
        self._added()
        self._undated()
        self._checkout()
        self.first = {stream: list(twice(rows)) for stream, rows in self.first.items()}
        self.later = {stream: list(twice(rows)) for stream, rows in self.later.items()}

    def order(self, into: Tables, lines: list[str], added: bool = False, **fields: Any) -> Row:
        """A version of an order, with a line for each amount."""
        if "id" not in fields:
            self._id += 1
            fields["id"] = self._id
        total = str(sum((Decimal(line) for line in lines), Decimal(0)))
        row = {
            "version": 1, "status": "paid", "draftCreatedAt": None, "updatedAt": fields.get("draftCreatedAt"),
            "subtotalPrice": total, "totalTax": "0.00", "totalPrice": total, "sessionId": f"session-{fields['id']}",
            "_airbyte_extracted_at": READ,
        } | fields
        row.setdefault("createdAt", row["draftCreatedAt"])
        into["orders"].append(row)
        for number, amount in enumerate(lines, 1):
            line = {
                "orderId": row["id"], "orderVersion": row["version"], "orderDraftCreatedAt": row["draftCreatedAt"],
                "orderUpdatedAt": row["updatedAt"], "storeId": row["storeId"], "id": number, "productId": "p",
                "name": "Product", "quantity": 1, "isExternallyAdded": added, "subtotalPrice": amount,
                "totalTax": "0.00", "totalPrice": amount, "_airbyte_extracted_at": row["_airbyte_extracted_at"],
            }
            into["order_line_items"].append(line)
        return row

    def session(self, order: Row, created: str, **fields: Any) -> None:
        row = {
            "id": order["id"] + 500_000, "sessionId": order["sessionId"], "storeId": order["storeId"],
            "createdAt": created, "updatedAt": created, "customerFirstEnteredAt": created,
            "_airbyte_extracted_at": READ,
        }
        self.first["sessions"].append(row | fields)

    def _clocks(self) -> None:
        for store, moment, _ in CLOCKS:
            self.order(self.first, ["1.00"], storeId=store, draftCreatedAt=moment)

    def _money(self) -> None:
        for day, (amounts, _) in self.money.items():
            for amount in amounts:
                self.order(self.first, [amount], storeId=UTC_STORE, draftCreatedAt=f"{day}T12:00:00Z")

    def _corrections(self) -> None:
        """In February; what becomes of them is read in November."""
        at = {"storeId": BERLIN, "draftCreatedAt": "2025-02-03T12:00:00Z"}
        # Paid, then contested and reviewed: 20.00 become 12.00, and one line is taken out.
        before = self.order(self.first, ["12.00", "8.00"], **at)
        again = {"id": before["id"], **at, "_airbyte_extracted_at": LATER}
        self.order(self.later, ["12.00", "8.00"], version=2, status="contested", updatedAt="2025-11-18T09:00:00Z", **again)
        now = {"version": 3, "status": "reviewed", "updatedAt": "2025-11-19T09:00:00Z"}
        self.order(self.later, ["12.00"], **now, paymentTransaction={"refunded": True}, **again)
        # The first version is read once more, behind the last one.
        last = again | {"_airbyte_extracted_at": "2025-11-20T01:00:00Z"}
        self.order(self.later, ["12.00", "8.00"], **last)
        self.contest(self.later, before, "contested", "20.00", "12.00", None, "2025-11-18T09:00:00Z")
        self.contest(self.later, before, "reviewed", "20.00", "12.00", "12.00", "2025-11-19T09:00:00Z")
        # Contested from the start; the review leaves it higher than was asked for.
        open_one = self.order(self.first, ["10.00"], version=2, status="contested", **at)
        self.contest(self.first, open_one, "contested", "10.00", "7.00", None, "2025-02-04T09:00:00Z")
        self.order(
            self.later, ["7.50"], **at, id=open_one["id"], version=2, status="reviewed",
            updatedAt="2025-11-19T10:00:00Z", _airbyte_extracted_at=LATER,
        )
        self.contest(self.later, open_one, "reviewed", "10.00", "7.00", "7.50", "2025-11-19T10:00:00Z")
        # Paid, and the payment has failed after all: the only sale of its day.
        failed = self.order(self.first, ["5.00"], storeId=BERLIN, draftCreatedAt="2025-02-04T12:00:00Z")
        self.order(
            self.later, ["5.00"], storeId=BERLIN, draftCreatedAt="2025-02-04T12:00:00Z", id=failed["id"],
            status="unpaid", updatedAt="2025-11-19T11:00:00Z", _airbyte_extracted_at=LATER,
        )
        self.corrected, self.reviewed_higher, self.failed = before["id"], open_one["id"], failed["id"]

    def contest(
        self, into: Tables, order: Row, status: str, original: str, asked: str, left: str | None, updated: str
    ) -> None:
        read = READ if into is self.first else LATER
        into["contests"].append(
            {
                "id": order["id"] + 900_000, "orderId": order["id"], "sessionId": order["sessionId"],
                "status": status, "originalTotalPrice": original, "contestedTotalPrice": asked,
                "reviewedTotalPrice": left, "createdAt": "2025-02-04T09:00:00Z", "updatedAt": updated,
                "_airbyte_extracted_at": read,
            }
        )

    def _added(self) -> None:
        """A day of a store whose only lines were added by another system; the visit began on the day before."""
        order = self.order(
            self.first, ["4.00", "2.00"], added=True, storeId=NEW_YORK, draftCreatedAt="2025-05-02T05:00:00Z"
        )
        # 23:30 in New York. The row comes again when the visit is over.
        began = "2025-05-02T03:30:00Z"
        self.session(order, began)
        self.session(
            order, began, updatedAt="2025-05-02T05:00:00Z", customerLastExitedAt="2025-05-02T04:59:00Z",
            _airbyte_extracted_at="2025-11-01T00:30:00Z",
        )
        self.added = order["id"]

    def _undated(self) -> None:
        """The API sent no draft date, and no session."""
        order = self.order(
            self.first, ["2.00"], storeId=UTC_STORE, createdAt="2025-08-05T23:00:00Z",
            updatedAt="2025-08-06T09:00:00Z", sessionId=None,
        )
        self.undated = order["id"]

    def event(self, order: int, status: str | None = "completed", **fields: Any) -> None:
        """What AiFi has pushed of an order."""
        number = len(self.first["checkout_events"]) + 1
        row = {
            "eventId": f"event-{number}", "seq": number, "recognised": True, "orderId": order, "status": status,
            "sessionId": f"session-{order}", "storeId": UTC_STORE, "timeOfOrigin": "2025-10-28T12:00:00Z",
            "deliveryCount": 1, "relay": "none", "totalPrice": "5.00", "_airbyte_extracted_at": READ,
        } | fields
        row |= {name: row.get(name, row["timeOfOrigin"]) for name in ("firstReceivedAt", "lastReceivedAt")}
        self.first["checkout_events"].append(row)

    def _checkout(self) -> None:
        """Orders and events that agree, and some that do not. The inbox is there from noon on; unpaid orders are not sales."""
        at = {"storeId": UTC_STORE, "draftCreatedAt": "2025-10-28T13:00:00Z"}
        answered = {"relay": "answered", "relayAnswer": {"statusCode": 200, "paymentStatus": "success"}}

        def order(total: str, **fields: Any) -> int:
            self.pushed_sales += [total] if fields.get("status") != "unpaid" else []
            return self.order(self.first, [total], **at | fields)["id"]

        # Before the inbox was there.
        self.order(self.first, ["5.00"], **at | {"draftCreatedAt": "2025-10-28T11:59:59Z", "status": "unpaid"})
        agreed = order("5.00", status="reviewed", paymentTransaction={"paymentStatus": "success"})
        self.event(agreed, "draft", totalPrice="9.00", relay="answered", relayAnswer={"paymentStatus": "processing"})
        self.event(agreed, **answered)
        self.event(agreed, "reviewed", timeOfOrigin="2025-10-29T12:00:00Z", totalPrice="7.00")
        self.event(agreed, "reviewed", timeOfOrigin="2025-10-29T13:00:00Z")
        # Not recognised.
        came = {"firstReceivedAt": "2025-10-28T12:00:00Z", "lastReceivedAt": "2025-10-28T12:00:00Z"}
        nothing = {"orderId": None, "sessionId": None, "timeOfOrigin": None, "totalPrice": None}
        self.event(1, None, recognised=False, **nothing, **came)
        alone = order("5.00", status="unpaid")
        lost = 990_001
        self.event(lost, "draft")
        self.event(lost, timeOfOrigin="2025-10-28T12:05:00Z")
        other_total = order("5.00", status="reviewed")
        self.event(other_total, "reviewed", timeOfOrigin="2025-10-29T12:00:00Z")
        self.event(other_total, "reviewed", timeOfOrigin="2025-10-29T13:00:00Z", totalPrice="4.99")
        not_paid = order("5.00", status="unpaid")
        self.event(not_paid, **answered)
        # What is under way in the first sync, and should have come by the second.
        late = {"draftCreatedAt": "2025-10-31T23:30:00Z", "status": "unpaid"}
        late_alone, late_lost = order("5.00", **late), 990_002
        self.event(late_lost, timeOfOrigin="2025-10-31T23:30:00Z")
        self.findings = {
            ("order_without_event", f"session-{alone}"): (alone, Decimal("5.00"), None, "failure", None),
            ("event_without_order", f"session-{lost}"): (lost, None, Decimal("5.00"), None, None),
            ("total_differs", f"session-{other_total}"): (
                other_total, Decimal("5.00"), Decimal("4.99"), "success", None,
            ),
            ("payment_differs", f"session-{not_paid}"): (
                not_paid, Decimal("5.00"), Decimal("5.00"), "failure", "success",
            ),
        }
        self.late_findings = {
            ("order_without_event", f"session-{late_alone}"): (late_alone, Decimal("5.00"), None, "failure", None),
            ("event_without_order", f"session-{late_lost}"): (late_lost, None, Decimal("5.00"), None, None),
        }

    def checkout_reconciliation(self, later: bool) -> dict[tuple, tuple]:
        """By finding and visit: order, its total, that of the event, the payment that is shown, and that was answered."""
        return self.findings | (self.late_findings if later else {})

    def daily_store_sales(self, later: bool) -> dict[tuple, tuple]:
        """By store and day: sales, those under review, net revenue, tax, revenue."""
        sums: dict[tuple, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0)])
        sales = [(store, day, 0, "1.00") for store, _, day in CLOCKS]
        right = {}
        for day, (amounts, total) in self.money.items():
            right[str(UTC_STORE), date.fromisoformat(day)] = (len(amounts), 0, Decimal(total))
        sales += [(UTC_STORE, "2025-10-28", 0, amount) for amount in self.pushed_sales]
        sales += [(NEW_YORK, "2025-05-02", 0, "6.00"), (UTC_STORE, "2025-08-05", 0, "2.00")]
        if later:
            sales += [(BERLIN, "2025-02-03", 0, "12.00"), (BERLIN, "2025-02-03", 0, "7.50")]
        else:
            sales += [(BERLIN, "2025-02-03", 0, "20.00"), (BERLIN, "2025-02-03", 1, "10.00")]
            sales += [(BERLIN, "2025-02-04", 0, "5.00")]
        for store, day, under_review, amount in sales:
            values = sums[str(store), date.fromisoformat(day)]
            values[0] += 1
            values[1] += under_review
            values[2] += Decimal(amount)
        right |= {key: tuple(values) for key, values in sums.items()}
        return {key: (*values[:2], values[2], Decimal(0), values[2]) for key, values in right.items()}

    def order_corrections(self, later: bool) -> dict[tuple, tuple]:
        """By contest: store, status, original, contested, reviewed, refunded, total of now, whether the payment is."""
        cents = [Decimal(text) for text in ("20.00", "12.00", "12.00", "8.00", "12.00")]
        higher = [Decimal(text) for text in ("10.00", "7.00", "7.50", "2.50", "7.50")]
        if not later:
            open_one = ("1", "contested", *higher[:2], None, None, Decimal("10.00"), None)
            return {(self.reviewed_higher + 900_000,): open_one}
        return {
            (self.corrected + 900_000,): ("1", "reviewed", *cents, True),
            (self.reviewed_higher + 900_000,): ("1", "reviewed", *higher, None),
        }

    def counts(self, later: bool) -> dict[str, int]:
        """Rows of the marts that keep one of each."""
        orders = len(CLOCKS) + sum(len(amounts) for amounts, _ in self.money.values()) + 11
        # Two lines have that which was added, and until the review that which is corrected.
        return {"orders_current": orders, "order_lines_current": orders + (1 if later else 2), "visits": 1}


def twice(rows: list[Row]) -> Iterator[Row]:
    """Each row once more, read an hour later."""
    yield from rows
    for row in rows:
        read = datetime.fromisoformat(row["_airbyte_extracted_at"]) + timedelta(hours=1)
        yield row | {"_airbyte_extracted_at": read.isoformat().replace("+00:00", "Z")}
