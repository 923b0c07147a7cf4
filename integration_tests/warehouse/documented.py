"""The SQL of the documentation."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
DIALECTS = {"Snowflake": "snowflake", "BigQuery": "bigquery"}
FENCE = re.compile(r"^( *)```sql\n(.*?)^ *```$", re.M | re.S)

# Which of them have a block, by the page and its heading: a new one needs a test of its own.
PAGES = ["sql", "completeness", "console"]


@dataclass(frozen=True)
class Block:
    """A statement for one dialect, under the heading that it stands below, with its number there."""

    page: str
    heading: str
    number: int
    dialect: str
    sql: str

    @property
    def name(self) -> tuple[str, str, int]:
        return self.page, self.heading, self.number


def blocks(page: str, dialect: str) -> list[Block]:
    text = (DOCS / f"{page}.md").read_text()
    found: list[Block] = []
    for fence in FENCE.finditer(text):
        sql = textwrap.dedent(fence.group(2))
        first = sql.partition("\n")[0].removeprefix("-- ")
        if DIALECTS.get(first.partition(":")[0]) != dialect:
            continue
        heading = re.findall(r"^## (.*)$", text[: fence.start()], re.M)[-1]
        number = sum(block.heading == heading for block in found)
        # The dataset of the tests.
        found.append(Block(page, heading, number, dialect, sql.replace("dataset.", "aifi.").rstrip(";\n ")))
    return found


@dataclass(frozen=True)
class Join:
    """A row of the table in model.md."""

    left: str
    right: str
    dialect: str
    condition: str

    def sql(self) -> str:
        dataset = "aifi." if self.dialect == "bigquery" else ""
        return f"select count(*) from {dataset}{self.left} join {dataset}{self.right} on {self.condition}"


def findings(warehouse: str) -> str:
    """The query of push-or-pull.md for a warehouse, by its own name: the only page with one for each of four."""
    text = (DOCS / "push-or-pull.md").read_text()
    [sql] = [of for _, of in FENCE.findall(text) if warehouse in of.partition("\n")[0]]
    return sql.rstrip(";\n ")


def joins(dialect: str) -> list[Join]:
    column = {"snowflake": 2, "bigquery": 3}[dialect]
    found = []
    for line in (DOCS / "model.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[2].startswith("`"):
            left, right = (cells[at].replace("`", "") for at in (0, 1))
            found.append(Join(left, right, dialect, cells[column].strip("`")))
    return found


def shared() -> list[str]:
    """The queries on the package's models, which are the same in each dialect."""
    text = (DOCS / "dbt.md").read_text()
    return [textwrap.dedent(fence.group(2)).rstrip(";\n ") for fence in FENCE.finditer(text)]
