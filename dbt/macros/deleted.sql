{#- Leaves out rows that a tombstone has marked as deleted. Only destinations in soft-delete mode keep them, and only where the
setting *Deleted orders* is on, has the table the column. -#}
{% macro where_not_deleted() -%}
{% if var('aifi_soft_deletes', false) %}where {{ aifi.column('_ab_cdc_deleted_at') }} is null{% endif %}
{%- endmacro %}

{#- Deletes orders that are no longer in the table that they came from: a tombstone has deleted them there. -#}
{% macro delete_what_vanished(orders, listed) -%}
delete from {{ orders }}
where order_id not in (select order_id from {{ listed }})
{%- endmacro %}
