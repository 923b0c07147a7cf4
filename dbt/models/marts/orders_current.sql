{{ config(
    materialized='incremental',
    incremental_strategy='merge' if target.type == 'bigquery' else 'delete+insert',
    unique_key='visit_key',
    on_schema_change='append_new_columns',
    post_hook="{% if is_incremental() %}{{ aifi.delete_what_vanished(this, ref('aifi', 'stg_aifi__orders')) }}{% endif %}"
) }}

with orders as (
    select * from {{ ref('aifi', 'stg_aifi__orders') }}
    {%- if is_incremental() %}
    where visit_key in (
        select visit_key from {{ ref('aifi', 'stg_aifi__orders') }} where extracted_at >= {{ aifi.since() }}
    )
    {%- endif %}
)

{{ aifi.newest_orders('orders', 'visit_key', 'version', 'updated_at', 'extracted_at') }}
