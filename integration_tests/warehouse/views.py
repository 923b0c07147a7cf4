"""The views of docs/sql.md, made of the macros that the models are made of."""

from __future__ import annotations

ORDERS = """
create or replace view {dataset}orders_current as
{{{{ aifi.newest_orders(
    '{dataset}orders', aifi.visit_key('sessionId', 'id'), aifi.column('version'), aifi.column('updatedAt'),
    aifi.column('_airbyte_extracted_at')
) }}}};
"""
LINES = """
create or replace view {dataset}order_line_items_current as
{{{{ aifi.lines_of_now('l.*', '{dataset}order_line_items', '{dataset}orders_current', {{
    'line_order_id': aifi.column('orderId'), 'line_version': aifi.column('orderVersion'),
    'line_updated_at': aifi.column('orderUpdatedAt'), 'line_id': aifi.column('id'),
    'order_id': aifi.column('id'), 'version': aifi.column('version'), 'updated_at': aifi.column('updatedAt'),
    'extracted_at': aifi.column('_airbyte_extracted_at')
}}) }}}};
"""
DATASETS = {"snowflake": "", "bigquery": "dataset."}


def templates(dialect: str) -> dict[str, str]:
    """What dbt makes the blocks of, by the heading that they stand below."""
    dataset = DATASETS[dialect]
    return {
        "Orders, one current row each": ORDERS.format(dataset=dataset).strip(),
        "Line items of the current version": LINES.format(dataset=dataset).strip(),
    }
