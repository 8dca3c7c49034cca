-- What visitors did, by month. dbt fills it and never makes it.
create schema if not exists unified;
create table unified.interactions (
    id uuid not null,
    person_id uuid,
    anonymous_id text,
    event_id uuid,
    content_id uuid,
    campaign_id uuid,
    channel text,
    kind text not null,
    at timestamptz not null,
    amount numeric,
    currency text,
    properties jsonb not null,
    primary key (id, at)
) partition by range (at);
create index interactions_event on unified.interactions (event_id, kind);
create index interactions_person on unified.interactions (person_id, at);

-- A clock far off must not make thousands of partitions: what lies outside goes to the default one.
create table unified.interactions_other partition of unified.interactions default;

create function ops.ensure_months(parent regclass, first timestamptz, last timestamptz) returns void
language plpgsql
as $$
declare
    month timestamp := date_trunc('month', greatest(first, '2020-01-01Z') at time zone 'UTC');
    stop timestamp := least(last, now() + interval '1 year') at time zone 'UTC';
    part text;
begin
    if first is null or last is null then
        return;  -- nothing happened yet
    end if;
    perform pg_advisory_xact_lock(hashtext('sonik.months'));
    while month <= stop loop
        part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
        -- Rows that were too far ahead once wait in the default partition, and stay: readers see no difference.
        if to_regclass(part) is null and not exists (
            select from unified.interactions_other as o
            where o.at >= month at time zone 'UTC' and o.at < (month + interval '1 month') at time zone 'UTC'
        ) then
            execute format(
                'create table %s partition of %s for values from (%L) to (%L)',
                part, parent, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC'
            );
        end if;
        month := month + interval '1 month';
    end loop;
end
$$;
