-- What was asked, whom the answer was for, where it came from and how long it took. Every statement may run again: the
-- first question may be asked of a database that nothing else has been done to.
create schema if not exists ops;
create table if not exists ops.query_log (
    id uuid primary key default uuidv7(),
    at timestamptz not null default now(),
    kind text not null,
    text text not null,
    ms double precision not null,
    hit boolean not null
);

-- `tenant`: the scope. `how`: exact, similar or made. `made_ms`: what making took, where that was needed. `asked_key`: the
-- question's hash. `again`: arguments that ask it once more, null where nothing can.
alter table ops.query_log
    add column if not exists tenant text,
    add column if not exists how text,
    add column if not exists made_ms double precision,
    add column if not exists asked_key text,
    add column if not exists again jsonb;
create index if not exists query_log_at on ops.query_log (at);

-- The last 90 days: questions that are one but for case and spaces, by kind and tenant.
create or replace view ops.questions as
select
    kind, tenant, lower(btrim(regexp_replace(text, '\s+', ' ', 'g'))) as question, again,
    count(*) as asked, count(*) filter (where hit) as hits,
    count(distinct asked_key) as variants,
    avg(ms) filter (where hit) as hit_ms, avg(made_ms) as made_ms, max(at) as last_asked
from ops.query_log
where at > now() - interval '90 days' and text ~ '\S'
group by 1, 2, 3, 4;

do $$ begin
    if exists (select from pg_roles where rolname = 'sonik_staff') then
        grant select on ops.query_log, ops.questions to sonik_staff;
    end if;
end $$;
