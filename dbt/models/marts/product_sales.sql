with lines as (
    select
        s.store_id,
        s.sold_on,
        l.product_id,
        l.order_id,
        l.name,
        l.category,
        l.quantity,
        l.subtotal_price,
        l.total_tax,
        l.total_price
    from {{ ref('aifi', 'order_lines_current') }} l
    join {{ ref('aifi', 'int_aifi__sales') }} s on l.order_id = s.order_id
)

{%- if aifi.uses('products') %},

products as (
    {{ aifi.first_of('*', ref('aifi', 'stg_aifi__products'), ['product_id'], ['extracted_at']) | indent(4) }}
)
{%- endif %}

select
    {{ dbt.concat(['l.store_id', "'/'", aifi.read('text', 'l.sold_on'), "'/'", "coalesce(l.product_id, '')"]) }}
        as store_day_product_key,
    l.store_id,
    l.sold_on,
    l.product_id,
    {%- if aifi.uses('products') %}
    coalesce(max(p.name), max(l.name)) as name,
    coalesce(max(p.category), max(l.category)) as category,
    {%- else %}
    max(l.name) as name,
    max(l.category) as category,
    {%- endif %}
    sum(l.quantity) as units,
    count(distinct l.order_id) as orders,
    sum(l.subtotal_price) as net_revenue,
    sum(l.total_tax) as tax,
    sum(l.total_price) as revenue
from lines l
{%- if aifi.uses('products') %}
left join products p on l.product_id = p.product_id
{%- endif %}
group by l.store_id, l.sold_on, l.product_id
