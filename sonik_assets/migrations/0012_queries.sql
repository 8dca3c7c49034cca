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

-- A row that goes or changes tells which records it belonged to, where the feed tells whole old rows: of each table whose
-- rows hold ids of others. The feed takes the first column that is told for the key: only where it is one.
create or replace function ops.tell_old_rows(relation regclass) returns void
language plpgsql
as $$ begin
    if exists (
        select from pg_class as c
        inner join pg_index as i on i.indrelid = c.oid and i.indisprimary
        where c.oid = relation and c.relkind = 'r' and c.relreplident = 'd'
            and c.relnamespace = to_regnamespace('unified')::oid
            and c.relname not in ('embeddings', 'source_records')
            and i.indkey[0] = (select min(attnum) from pg_attribute
                               where attrelid = c.oid and attnum > 0 and not attisdropped)
            and 1 < (select count(*) from pg_attribute
                     where attrelid = c.oid and attnum > 0 and not attisdropped and atttypid = 'uuid'::regtype)
    ) then
        execute format('alter table %s replica identity full', relation);
    end if;
end $$;

-- As before (0009), and: tables tell old rows. Only where the feed is there already.
do $do$ begin
    if to_regprocedure('ops.publish(regclass)') is not null then
        create or replace function ops.publish(relation regclass) returns void
        language plpgsql
        as $$ begin
            perform ops.tell_old_rows(relation);
            if not exists (
                select from pg_publication_rel as r
                inner join pg_publication as p on p.oid = r.prpubid
                where p.pubname = 'sonik' and r.prrelid = relation
            ) then
                execute format('alter publication sonik add table %s', relation);
                perform pg_logical_emit_message(true, 'sonik.published', n.nspname || '.' || c.relname)
                from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
                where c.oid = relation;
            end if;
        end $$;
        perform ops.tell_old_rows(r.prrelid) from pg_publication_rel as r
        inner join pg_publication as p on p.oid = r.prpubid and p.pubname = 'sonik';
    end if;
end $do$;
