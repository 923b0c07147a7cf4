{#- Deletes lines that a later version of the order no longer has. The source does not announce this, so we look for it. -#}
{% macro delete_lines_of_before(lines, orders) -%}
delete from {{ lines }}
where order_line_key not in (
    select l.order_line_key
    from {{ lines }} l
    join {{ orders }} o
        on l.order_id = o.order_id
        and l.order_version is not distinct from o.version
        and l.order_updated_at is not distinct from o.updated_at
)
{%- endmacro %}
