{{ config(
    materialized='incremental',
    incremental_strategy='merge' if target.type == 'bigquery' else 'delete+insert',
    unique_key='order_line_key',
    on_schema_change='append_new_columns',
    post_hook="{% if is_incremental() %}{{ aifi.delete_lines_of_before(this, ref('aifi', 'orders_current')) }}{% endif %}"
) }}

with lines as (
    select * from {{ ref('aifi', 'stg_aifi__order_line_items') }}
    {%- if is_incremental() %}
    where order_id in (
        select order_id from {{ ref('aifi', 'stg_aifi__order_line_items') }} where extracted_at >= {{ aifi.since() }}
        union all
        select order_id from {{ ref('aifi', 'orders_current') }} where extracted_at >= {{ aifi.since() }}
    )
    {%- endif %}
),

now as (
    {{ aifi.lines_of_now('l.*, o.visit_key', 'lines', ref('aifi', 'orders_current'), {
        'line_order_id': 'order_id', 'line_version': 'order_version', 'line_updated_at': 'order_updated_at',
        'line_id': 'order_line_id', 'order_id': 'order_id', 'version': 'version', 'updated_at': 'updated_at',
        'extracted_at': 'extracted_at'
    }) | indent(4) }}
)

select
    {{ dbt.concat([aifi.read('text', 'order_id'), "'/'", aifi.read('text', 'order_line_id')]) }} as order_line_key,
    now.*
from now
