-- A number as people write it: 45000.00, "45.000,00" (Brazil, Colombia), "45.000", "1,200.50" and "1,200"
-- (Mexico), "12.3k". The later of the two separators is the decimal one; one kind alone, before three digits each
-- time, groups thousands. Only for text: a JSON number says itself what it is.
create function ops.amount(written text) returns numeric
language sql immutable strict parallel safe
as $$
    select case when plain ~ '^[0-9]+(\.[0-9]+)?$' then plain::numeric * factor end
    from (
        select
            case
                when body ~ '^\d{1,3}(\.\d{3})+$' then replace(body, '.', '')
                when body ~ ',\d{3}$' and body !~ '\..*,' then replace(body, ',', '')
                when strpos(reverse(body), ',') > 0
                    and (strpos(reverse(body), '.') = 0 or strpos(reverse(body), ',') < strpos(reverse(body), '.'))
                    then replace(replace(body, '.', ''), ',', '.')
                else replace(body, ',', '')
            end as plain,
            factor
        from (
            select
                btrim(rtrim(lower(btrim(written)), 'km')) as body,
                case right(lower(btrim(written)), 1) when 'k' then 1000 when 'm' then 1000000 else 1 end as factor
        ) as split
    ) as unified
$$;
