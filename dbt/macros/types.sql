{% macro read(kind, expression) -%}
cast({{ expression }} as {{ aifi.type_of(kind) }})
{%- endmacro %}

{#- Amounts and quantities are exact decimals, ids whole numbers. -#}
{% macro type_of(kind) -%}
{%- if kind == 'amount' -%}{{ aifi.decimal_type() }}
{%- elif kind == 'whole' -%}{{ aifi.whole_type() }}
{%- elif kind == 'integer' -%}{{ 'int64' if target.type == 'bigquery' else dbt.type_bigint() | lower }}
{%- elif kind == 'flag' -%}{{ dbt.type_boolean() | lower }}
{%- elif kind == 'text' -%}{{ dbt.type_string() | lower }}
{%- else -%}{{ exceptions.raise_compiler_error('no kind of column: ' ~ kind) }}
{%- endif -%}
{%- endmacro %}

{% macro decimal_type() %}{{ adapter.dispatch('decimal_type', 'aifi')() }}{% endmacro %}
{% macro default__decimal_type() %}decimal(38, 9){% endmacro %}
{% macro postgres__decimal_type() %}numeric{% endmacro %}
{% macro bigquery__decimal_type() %}numeric{% endmacro %}

{% macro whole_type() %}{{ adapter.dispatch('whole_type', 'aifi')() }}{% endmacro %}
{% macro default__whole_type() %}decimal(38, 0){% endmacro %}
{% macro postgres__whole_type() %}numeric{% endmacro %}
{% macro bigquery__whole_type() %}bignumeric{% endmacro %}

{#- A field of a JSON object, to be cast. -#}
{% macro json_field(expression, field) %}{{ adapter.dispatch('json_field', 'aifi')(expression, field) }}{% endmacro %}
{% macro default__json_field(expression, field) %}json_extract_string({{ expression }}, '$.{{ field }}'){% endmacro %}
{% macro postgres__json_field(expression, field) %}cast({{ expression }} as jsonb) ->> '{{ field }}'{% endmacro %}
{% macro bigquery__json_field(expression, field) %}json_value({{ expression }}, '$.{{ field }}'){% endmacro %}
{% macro snowflake__json_field(expression, field) %}{{ expression }}:{{ field }}{% endmacro %}
