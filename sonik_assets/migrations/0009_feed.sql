-- What follows the change feed, and how far it is.

-- `lsn`: acknowledged, also over stretches of the log in which nothing of ours changed. `applied_lsn`: the last position
-- at which something was written into the store. What the store itself remembers must not be behind that.
create table ops.store_acks (
    store text primary key,
    lsn pg_lsn not null,
    applied_lsn pg_lsn not null,
    at timestamptz not null default now()
);

-- Edges whose ends are not both in the graph yet: applied when the end arrives.
create table ops.waiting_edges (
    graph text,
    edge_id uuid,
    from_id uuid not null,
    to_id uuid not null,
    since timestamptz not null default now(),
    primary key (graph, edge_id)
);
create index waiting_edges_from on ops.waiting_edges (graph, from_id);
create index waiting_edges_to on ops.waiting_edges (graph, to_id);
grant select on ops.store_acks, ops.waiting_edges to sonik_staff;

-- As before (0007), and: an edge that is gone is found in the graph by its ends and labels, so its whole row is told. What
-- a table held before it was published is on no log: the feed says so, and its readers rebuild.
create or replace function ops.publish(relation regclass) returns void
language plpgsql
as $$ begin
    if relation = to_regclass('unified.relationships')
        and (select relreplident from pg_class where oid = relation) <> 'f'
    then
        execute format('alter table %s replica identity full', relation);
    end if;
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

-- A table is there already: its next build finds it as it should be.
do $$ begin
    if to_regclass('unified.relationships') is not null then
        alter table unified.relationships replica identity full;
    end if;
end $$;
