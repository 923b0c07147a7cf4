{#- Takes out what a later version of an order has no more. Nothing in the source tells of it, so it is looked for. -#}
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
