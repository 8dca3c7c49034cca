-- What the unified model needs and dbt cannot make.

-- Earlier versions made these tables without contracts. What is in them is derived; ids come from identity, claims from
-- their log. Made once more, with keys and policies, they stay: nobody has subscribed to them before.
do $$
declare
    relation record;
begin
    for relation in
        select format('%I.%I', n.nspname, c.relname) as name, c.relkind
        from pg_class as c
        inner join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname in ('unified', 'marts') and c.relkind in ('r', 'v') and not c.relispartition
            and (n.nspname, c.relname) <> ('unified', 'changes')
    loop
        -- A view may have gone with what it reads.
        if to_regclass(relation.name) is not null then
            execute format(
                'drop %s %s cascade', case relation.relkind when 'r' then 'table' else 'view' end, relation.name
            );
        end if;
    end loop;
end $$;

-- What visitors did keeps the keys that its source wrote: where a key comes to mean another entity, or none, the rows
-- are told apart by it and nothing is read again.
truncate unified.interactions;
alter table unified.interactions
    add column referrer_id uuid,
    add column user_key text,
    add column event_key text,
    add column content_key text,
    add column campaign_key text,
    add column referrer_key text,
    -- For counts by day: nothing is stored, nothing to keep in step.
    add column day date generated always as ((at at time zone 'UTC')::date) virtual;
create index interactions_kind on unified.interactions (kind, at)
where kind in ('share', 'check_in', 'referral', 'feature_use', 'feedback');
create index interactions_content on unified.interactions (content_id, kind) where content_id is not null;

-- Months older than what is kept go as a whole. What they held is still in raw, and no model reads it again.
create function ops.drop_months(parent regclass, before timestamptz) returns int
language plpgsql
as $$
declare
    part regclass;
    dropped int := 0;
begin
    for part in
        select i.inhrelid::regclass
        from pg_inherits as i
        inner join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = parent and c.relname ~ '_\d{4}_\d{2}$'
            and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= before at time zone 'UTC'
    loop
        execute format('drop table %s', part);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

-- What a model that only reads changes has seen: everything its sources had written before `until`. `rules`: a hash of
-- what the model does; where it does something else now, it looks at everything again.
create table ops.seen (model text primary key, until timestamptz not null, rules text not null);

-- What the keys of engagement meant when `unified.interactions` was last brought up to date.
create table ops.seen_keys (
    kind text not null, key text not null, id uuid not null, valid_from timestamptz, valid_to timestamptz
);

-- What another session has written but not committed began no later than its transaction did.
create function ops.horizon() returns timestamptz
language sql stable
as $$
    select least(now(), min(xact_start)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
        and state <> 'idle'
$$;

-- The tables that the change feed carries. Partitions are told as their parent.
create publication sonik with (publish_via_partition_root = true);
create function ops.publish(relation regclass) returns void
language plpgsql
as $$ begin
    if not exists (
        select from pg_publication_rel as r
        inner join pg_publication as p on p.oid = r.prpubid
        where p.pubname = 'sonik' and r.prrelid = relation
    ) then
        execute format('alter publication sonik add table %s', relation);
    end if;
end $$;
select ops.publish('unified.interactions');

-- A room is taken or free: equality of ranges has an index without any extension, equality of uuids has none.
create type ops.uuid_range as range (subtype = uuid);

-- Multi-column conditions on these columns are not independent: all of a table's records are of its source.
create function ops.count_together(relation regclass, columns text) returns void
language plpgsql
as $$
declare
    name text := replace(relation::text, '.', '_') || '_together';
begin
    execute format('create statistics if not exists ops.%I (dependencies, ndistinct) on %s from %s', name, columns, relation);
end $$;

-- Corrections that people made here: an owner's of what is theirs, or staff's. Append-only; the newest of an attribute
-- holds. `entity_ref` is a record, so that an edit follows it through merges and splits. A null value takes an edit back.
create table ops.edits (
    seq bigint generated always as identity primary key,
    id uuid not null default uuidv7() unique,
    entity_ref text not null,
    attribute text not null,
    value jsonb,
    role text not null check (role in ('staff', 'claimant', 'owner')),
    edited_by text not null,
    at timestamptz not null default now()
);
create index edits_entity_ref on ops.edits (entity_ref);
create trigger edits_append_only before update or delete on ops.edits
for each statement execute function ops.refuse_change();
create trigger edits_not_truncated before truncate on ops.edits
for each statement execute function ops.refuse_change();

-- Counts a table for the planner where enough of it is new, also for an index that is new (no rows known yet).
create function ops.count_rows(relation regclass) returns void
language plpgsql
as $$
declare
    changed bigint;
    known real;
begin
    select s.n_mod_since_analyze, c.reltuples into changed, known
    from pg_class as c left join pg_stat_user_tables as s on s.relid = c.oid
    where c.oid = relation;
    -- What this transaction has written is not in the statistics yet: it counts by itself.
    changed := coalesce(changed, 0) + coalesce((
        select n_tup_ins + n_tup_upd + n_tup_del from pg_stat_xact_user_tables where relid = relation
    ), 0);
    if known < 0 or changed > greatest(1000, 0.1 * known) or exists (
        select from pg_class where oid = relation and relkind = 'p'
    ) and changed > 50000 then
        execute format('analyze %s', relation);
    end if;
end $$;

-- The same ids as before (0001), in one expression that the planner can put into a query: a tenth of the cost.
create or replace function ops.name_uuid(name text) returns uuid
language sql immutable strict parallel safe
return left(
    overlay(
        overlay(encode(sha256(convert_to(name, 'UTF8')), 'hex') placing '5' from 13 for 1)
        placing translate(
            substr(encode(sha256(convert_to(name, 'UTF8')), 'hex'), 17, 1), '0123456789abcdef', '89ab89ab89ab89ab'
        ) from 17 for 1
    ), 32
)::uuid;
