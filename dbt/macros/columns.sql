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

{#- Key of the visit that an order came of: its session, or itself where no session is known. -#}
{% macro visit_key(session_id, order_id) -%}
coalesce(nullif({{ aifi.text(session_id) }}, ''), {{ aifi.text(order_id) }})
{%- endmacro %}

{#- A name as Airbyte's destination spells it. -#}
{% macro column(name) %}{{ adapter.dispatch('column', 'aifi')(name) }}{% endmacro %}

{% macro default__column(name) %}"{{ name }}"{% endmacro %}
{#- One field has a reserved word for a name. -#}
{% macro bigquery__column(name) %}{{ '`order`' if name == 'order' else name }}{% endmacro %}
{% macro snowflake__column(name) %}"{{ name | upper }}"{% endmacro %}
{% macro postgres__column(name) %}"{{ name if var('aifi_keeps_names', false) else name | lower }}"{% endmacro %}

{#- Whether a stream is synced. Two are taken to be only where the reader says so. -#}
{% macro uses(stream) -%}
{{ return(var('aifi_using_' ~ stream, stream not in ['order_details', 'unreadable_rows'])) }}
{%- endmacro %}
