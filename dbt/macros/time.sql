{#- A timestamp in UTC, without a zone except in BigQuery. Destinations differ in whether the table's column has a zone, so the
macros accept both. -#}
{% macro utc(expression) %}{{ adapter.dispatch('utc', 'aifi')(expression) }}{% endmacro %}
{% macro default__utc(expression) %}make_timestamp(epoch_us({{ expression }})){% endmacro %}
{% macro postgres__utc(expression) -%}
to_timestamp(extract(epoch from {{ expression }})) at time zone 'UTC'
{%- endmacro %}
{% macro bigquery__utc(expression) %}cast({{ expression }} as timestamp){% endmacro %}
{% macro snowflake__utc(expression) -%}
to_timestamp_ntz(date_part(epoch_microsecond, {{ expression }}), 6)
{%- endmacro %}

{#- The day of a timestamp in UTC, in the time zone `zone`. -#}
{% macro local_day(moment, zone) %}{{ adapter.dispatch('local_day', 'aifi')(moment, zone) }}{% endmacro %}
{% macro default__local_day(moment, zone) -%}
cast({{ moment }} at time zone 'UTC' at time zone {{ zone }} as date)
{%- endmacro %}
{% macro bigquery__local_day(moment, zone) %}date({{ moment }}, {{ zone }}){% endmacro %}
{% macro snowflake__local_day(moment, zone) -%}
cast(convert_timezone('UTC', {{ zone }}, {{ moment }}) as date)
{%- endmacro %}

{% macro hours_before(moment, hours) %}{{ adapter.dispatch('hours_before', 'aifi')(moment, hours) }}{% endmacro %}
{% macro default__hours_before(moment, hours) %}{{ moment }} - interval '{{ hours }} hours'{% endmacro %}
{% macro bigquery__hours_before(moment, hours) -%}
timestamp_sub({{ moment }}, interval {{ hours }} hour)
{%- endmacro %}
{% macro snowflake__hours_before(moment, hours) %}dateadd(hour, -{{ hours }}, {{ moment }}){% endmacro %}

{% macro seconds_between(start, end) %}{{ adapter.dispatch('seconds_between', 'aifi')(start, end) }}{% endmacro %}
{% macro default__seconds_between(start, end) -%}
cast(extract(epoch from {{ end }} - {{ start }}) as bigint)
{%- endmacro %}
{% macro bigquery__seconds_between(start, end) %}timestamp_diff({{ end }}, {{ start }}, second){% endmacro %}
{% macro snowflake__seconds_between(start, end) %}datediff(second, {{ start }}, {{ end }}){% endmacro %}

{#- The point from which an incremental model looks for rows: some hours before its newest row. -#}
{% macro since() -%}
coalesce(
    (select {{ aifi.hours_before('max(extracted_at)', var('aifi_lookback_hours', 72)) }} from {{ this }}),
    {{ aifi.utc("timestamp '1970-01-01 00:00:00'") }}
)
{%- endmacro %}
