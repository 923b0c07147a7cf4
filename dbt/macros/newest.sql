{#- What is true now, from tables that keep what was. The models use these macros, and so do the views in docs/sql.md for readers
without dbt: a test renders them with the names of Airbyte's tables, and compares. -#}

{#- The newest row of each visit: the highest version, then the latest change, then the latest read. -#}
{% macro newest_orders(orders, visit_key, version, updated_at, extracted_at) -%}
{{ aifi.first_of('*', orders, [visit_key], [version, updated_at, extracted_at]) }}
{%- endmacro %}

{#- The lines that were read with the order as it is now, each once. -#}
{% macro lines_of_now(columns, lines, orders, names) -%}
{%- set joined -%}
{{ lines }} l
join {{ orders }} o
    on l.{{ names.line_order_id }} = o.{{ names.order_id }}
    and l.{{ names.line_version }} is not distinct from o.{{ names.version }}
    and l.{{ names.line_updated_at }} is not distinct from o.{{ names.updated_at }}
{%- endset -%}
{{ aifi.first_of(
    columns, joined, ['l.' ~ names.line_order_id, 'l.' ~ names.line_id], ['l.' ~ names.extracted_at]
) }}
{%- endmacro %}

{#- The first row of each key, the greatest first; a null is the least. -#}
{% macro first_of(columns, relation, keys, falling) -%}
{{ adapter.dispatch('first_of', 'aifi')(columns, relation, keys, falling) }}
{%- endmacro %}

{% macro default__first_of(columns, relation, keys, falling) -%}
select {{ columns }}
from {{ relation }}
where true
qualify row_number() over (
    partition by {{ keys | join(', ') }}
    order by {{ aifi.falling(falling) }}
) = 1
{%- endmacro %}

{% macro postgres__first_of(columns, relation, keys, falling) -%}
select distinct on ({{ keys | join(', ') }}) {{ columns }}
from {{ relation }}
order by {{ keys | join(', ') }}, {{ aifi.falling(falling) }}
{%- endmacro %}

{% macro falling(columns) -%}
{% for column in columns %}{{ column }} desc nulls last{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}
