{#- A column of a table that Airbyte made, cast to the type that the models have. -#}

{% macro integer(name) %}{{ aifi.read('integer', aifi.column(name)) }}{% endmacro %}
{% macro whole(name) %}{{ aifi.read('whole', aifi.column(name)) }}{% endmacro %}
{% macro amount(name) %}{{ aifi.read('amount', aifi.column(name)) }}{% endmacro %}
{% macro text(name) %}{{ aifi.read('text', aifi.column(name)) }}{% endmacro %}
{% macro flag(name) %}{{ aifi.read('flag', aifi.column(name)) }}{% endmacro %}
{% macro moment(name) %}{{ aifi.utc(aifi.column(name)) }}{% endmacro %}
{% macro nested(name) %}{{ aifi.column(name) }}{% endmacro %}

{#- A field of an object. -#}
{% macro inside(name, field, kind) %}{{ aifi.read(kind, aifi.json_field(aifi.column(name), field)) }}{% endmacro %}

{#- Key of the visit that led to an order: its session, or the order itself if no session is known. -#}
{% macro visit_key(session_id, order_id) -%}
coalesce(nullif({{ aifi.text(session_id) }}, ''), {{ aifi.text(order_id) }})
{%- endmacro %}

{#- A name as Airbyte's destination spells it. -#}
{% macro column(name) %}{{ adapter.dispatch('column', 'aifi')(name) }}{% endmacro %}

{% macro duckdb__column(name) %}"{{ name }}"{% endmacro %}
{#- One field is named with a reserved word. -#}
{% macro bigquery__column(name) %}{{ '`order`' if name == 'order' else name }}{% endmacro %}
{% macro snowflake__column(name) %}"{{ name | upper }}"{% endmacro %}
{% macro postgres__column(name) %}"{{ name if var('aifi_keeps_names', false) else name | lower }}"{% endmacro %}

{#- Every model reads columns, so this is where a warehouse that the package was not written for ends. -#}
{% macro default__column(name) -%}
{{ exceptions.raise_compiler_error(
    'The package aifi supports Snowflake, BigQuery, PostgreSQL and DuckDB, but not ' ~ target.type ~ '.'
) }}
{%- endmacro %}
{% macro redshift__column(name) %}{{ aifi.default__column(name) }}{% endmacro %}

{#- Whether a stream is synced. Three of them are opt-in. -#}
{% macro uses(stream) -%}
{{ return(var('aifi_using_' ~ stream, stream not in ['order_details', 'checkout_events', 'unreadable_rows'])) }}
{%- endmacro %}
