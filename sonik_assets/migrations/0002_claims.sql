-- The log of claims: who asked for which entity, and what became of it. Append-only.
create table ops.claims (
    id uuid primary key,
    entity_ref text not null,
    user_id text not null,
    method text,
    status text not null check (status in ('pending', 'claimed', 'unclaimed', 'rejected', 'revoked', 'expired')),
    at timestamptz not null
);
create function ops.refuse_change() returns trigger
language plpgsql
as $$ begin
    raise exception '% is append-only: write a new row instead', tg_relid::regclass;
end $$;
create trigger claims_append_only before update or delete on ops.claims
for each statement execute function ops.refuse_change();
