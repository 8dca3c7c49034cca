-- The claim funnel. The log is the truth: a claim is a submission (`claim_id`: its id) and the events that follow it;
-- `status` is the state after the event. Rules: docs/claims.md.
create temporary table claims_before on commit drop as select * from ops.claims;
drop trigger claims_append_only on ops.claims;
delete from ops.claims;

alter table ops.claims drop constraint claims_status_check;
alter table ops.claims
    add column seq bigint generated always as identity unique,
    add column claim_id uuid,
    add column event text not null check (event in ('submit', 'verify', 'reject', 'revoke', 'expire')),
    add column evidence jsonb,
    add column decided_by text not null default 'sonik',
    add column reason text,
    add constraint claims_status_check check (
        status = case event when 'submit' then 'pending' when 'verify' then 'claimed' else 'unclaimed' end
    );
create index claims_submit on ops.claims (entity_ref) where event = 'submit';
create unique index claims_verify on ops.claims (claim_id) where event = 'verify';
create unique index claims_close on ops.claims (claim_id) where status = 'unclaimed';
create index claims_entity_ref on ops.claims (entity_ref, at desc);

-- Claims that nobody has rejected, revoked or let expire.
create view ops.open_claims as
select
    s.claim_id, s.entity_ref, s.user_id, coalesce(v.status, s.status) as status, coalesce(v.method, s.method) as method,
    coalesce(v.at, s.at) as at, coalesce(v.seq, s.seq) as seq
from ops.claims as s
left join ops.claims as v on v.claim_id = s.claim_id and v.event = 'verify'
where s.event = 'submit' and s.claim_id is not null
    and not exists (select from ops.claims as c where c.claim_id = s.claim_id and c.status = 'unclaimed');

-- What a record (source/table/record_id) is today; no row where identity does not know it (yet).
create function ops.entity_of(ref text) returns table (entity_id uuid, entity_type text)
language plpgsql stable
as $$ begin
    if to_regclass('identity.entity_map') is not null then
        return query
        select m.entity_id, m.entity_type from identity.entity_map as m
        where m.source = split_part(ref, '/', 1) and m.table_name = split_part(ref, '/', 2)
            and m.record_id = substr(ref, length(split_part(ref, '/', 1)) + length(split_part(ref, '/', 2)) + 3);
    end if;
end $$;

-- All open claims, or those of some entities, by the entity that their record is today. `claimant`: the person that the
-- user is today, null where identity does not know them.
create function ops.claims_of(entity_ids uuid[] default null) returns table (
    entity_id uuid, claim_id uuid, entity_ref text, user_id text, status text, method text, at timestamptz, seq bigint,
    claimant uuid
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$ begin
    if to_regclass('identity.entity_map') is null then
        return;
    elsif entity_ids is null then
        return query
        select m.entity_id, c.*, u.entity_id from ops.open_claims as c
        inner join identity.entity_map as m
            on m.source = split_part(c.entity_ref, '/', 1) and m.table_name = split_part(c.entity_ref, '/', 2)
                and m.record_id = substr(
                    c.entity_ref,
                    length(split_part(c.entity_ref, '/', 1)) + length(split_part(c.entity_ref, '/', 2)) + 3
                )
        left join identity.entity_map as u
            on u.source = 'mongo' and u.table_name = 'users' and u.record_id = c.user_id
        where m.entity_type <> 'event';
    else
        return query
        select m.entity_id, c.*, u.entity_id from identity.entity_map as m
        inner join ops.open_claims as c on c.entity_ref = concat_ws('/', m.source, m.table_name, m.record_id)
        left join identity.entity_map as u
            on u.source = 'mongo' and u.table_name = 'users' and u.record_id = c.user_id
        where m.entity_id = any(entity_ids) and m.entity_type <> 'event';
    end if;
end $$;

-- Where entities stand: one row each that is not unclaimed. Two open claims can meet where a merge and a submission
-- cross each other: the owner's counts, then the one that came first; the other waits for a person.
create function ops.claim_states(entity_ids uuid[] default null) returns table (
    entity_id uuid, claim_status text, claimed_by uuid, claim_id uuid, entity_ref text, user_id text, method text,
    at timestamptz
)
language sql stable
as $$
    select distinct on (c.entity_id)
        c.entity_id, c.status, case c.status when 'claimed' then c.claimant end, c.claim_id, c.entity_ref, c.user_id,
        c.method, c.at
    from ops.claims_of(entity_ids) as c
    order by c.entity_id, c.status, c.at, c.seq
$$;

-- Keeps all other claims out until the transaction ends: for many at once, where a lock each would be too many.
create function ops.claims_alone() returns void
language plpgsql
as $$ begin
    perform pg_advisory_xact_lock(hashtext('sonik.claims'));
end $$;

-- Whether this session keeps all other claims out; asked of the lock itself, which nobody can pretend to hold.
create function ops.holds_claims_alone() returns boolean
language sql stable
as $$
    select exists (
        select from pg_locks
        where locktype = 'advisory' and pid = pg_backend_pid() and mode = 'ExclusiveLock' and granted and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
            and (classid::bigint << 32) | objid::bigint = hashtext('sonik.claims')::bigint
    )
$$;

-- How a claim is verified, as sources write it: "Instagram DM", "e-mail".
create function ops.claim_method(written text) returns text
language sql immutable
return case lower(regexp_replace(written, '[^A-Za-z]+', '', 'g'))
    when 'instagramdm' then 'instagram_dm' when 'instagram' then 'instagram_dm' when 'email' then 'email'
    when 'phone' then 'phone' else nullif(written, '') end;

-- Why an event may not happen to an entity in this state; null: it may. `mine`: the claimant's open claim, `first`: the
-- one that counts.
create function ops.claim_refusal(
    event text, claim ops.claims, kind text, mine ops.open_claims, first ops.open_claims, last_at timestamptz
) returns text
language plpgsql immutable
as $$
declare
    what text := claim.entity_ref;
    state text := coalesce(
        what || ' is ' || case first.status when 'claimed' then 'claimed by user ' else 'asked for by user ' end
            || first.user_id, what || ' is unclaimed'
    );
begin
    return case
        when what is null or what !~ '^[^/]+/[^/]+/.' then
            coalesce(what, 'nothing') || ' is no record: give source/table/record_id'
        when kind = 'event' then what || ' is an event, which nobody owns: claim its venue or its organizer'
        when event is null then coalesce(claim.status, 'nothing') || ' is no state of a claim: give pending, claimed,'
            || ' unclaimed, rejected, revoked or expired'
        when claim.method not in ('instagram_dm', 'email', 'phone') then
            claim.method || ' is no way to verify a claim: give instagram_dm, email or phone'
        when event = 'submit' and coalesce(claim.user_id, '') = '' then 'a claim of ' || what || ' needs its user'
        when not isfinite(claim.at) or claim.at > clock_timestamp() + interval '1 day' then
            claim.at::text || ' is still to come: an event of a claim has happened'
        when claim.at < last_at then
            what || ' has a later event of ' || last_at::text || ': the log is not written backwards'
        when event = 'submit' and first.claim_id is not null then
            state || case first.status when 'claimed' then ': revoke that claim first' else
                ': verify or reject that claim first' end
        when event = 'submit' then null
        when mine.claim_id is null then
            state || case when first.claim_id is null then ': submit a claim first' else
                ': there is no claim of user ' || coalesce(claim.user_id, '?') || ' to ' || event end
        when event = 'verify' and mine.status = 'claimed' then state || ' already: nothing to verify'
        when event = 'verify' and first.claim_id <> mine.claim_id then state || ': revoke or reject that claim first'
        when event in ('reject', 'expire') and mine.status = 'claimed' then state || ': only a revocation ends that'
        when event = 'revoke' and mine.status = 'pending' then state || ', which was never verified: reject it instead'
    end;
end $$;

-- Judges each new row. One that may not be fails with the reason. Where a file or an older log is read, which is so where
-- the session has made the temporary table refused_claims (id, reason), it is noted there and left out instead; and a
-- claim of which only the verification is told is taken as submitted at that time.
create function ops.judge_claim() returns trigger
language plpgsql
-- A plan made while the log was empty would read all of it for each row of a large file.
set plan_cache_mode = force_custom_plan
as $$
declare
    here record;
    refs text[] := array[new.entity_ref];
    mine ops.open_claims;
    first ops.open_claims;
    last_at timestamptz;
    why text;
    reading boolean := to_regclass('pg_temp.refused_claims') is not null;
begin
    if current_setting('transaction_isolation') = 'repeatable read' then
        raise exception 'a claim must see what others have just written: use read committed or serializable';
    end if;
    select * into here from ops.entity_of(new.entity_ref);
    if not ops.holds_claims_alone() then
        perform pg_advisory_xact_lock_shared(hashtext('sonik.claims'));
        perform pg_advisory_xact_lock(hashtextextended(coalesce(here.entity_id::text, new.entity_ref, ''), 6));
        select * into here from ops.entity_of(new.entity_ref);  -- it may have been merged while we waited
    end if;
    if here.entity_id is not null then
        select array_agg(concat_ws('/', m.source, m.table_name, m.record_id)) into refs
        from identity.entity_map as m where m.entity_id = here.entity_id;
    end if;
    select c.* into first from ops.open_claims as c where c.entity_ref = any(refs) order by c.status, c.at, c.seq limit 1;
    select c.* into mine from ops.open_claims as c
    where c.entity_ref = any(refs) and (new.user_id is null or c.user_id = new.user_id)
        and (new.claim_id is null or c.claim_id = new.claim_id)
    order by c.status, c.at, c.seq limit 1;
    select max(c.at) into last_at from ops.claims as c where c.entity_ref = any(refs) and c.claim_id is not null;
    new.event := coalesce(new.event, case new.status
        when 'pending' then 'submit' when 'claimed' then 'verify' when 'rejected' then 'reject'
        when 'revoked' then 'revoke' when 'expired' then 'expire'
        when 'unclaimed' then case mine.status when 'claimed' then 'revoke' else 'reject' end
    end);
    new.method := ops.claim_method(new.method);
    new.at := coalesce(new.at, greatest(clock_timestamp(), last_at));
    if new.event = 'verify' and first.claim_id is null and reading
        and ops.claim_refusal('submit', new, here.entity_type, mine, first, last_at) is null
    then
        insert into ops.claims (id, entity_ref, user_id, method, event, at)
        values (ops.name_uuid('claims/submitted/' || new.id), new.entity_ref, new.user_id, new.method, 'submit', new.at);
        select c.* into first from ops.open_claims as c where c.claim_id = ops.name_uuid('claims/submitted/' || new.id);
        mine := first;
        new.seq := nextval(pg_get_serial_sequence('ops.claims', 'seq'));  -- after the submission
    end if;
    why := ops.claim_refusal(new.event, new, here.entity_type, mine, first, last_at);
    if why is not null and reading then
        insert into pg_temp.refused_claims (id, reason) values (new.id, why);
        return null;
    elsif why is not null then
        raise exception '%', why using errcode = 'check_violation', table = 'claims', schema = 'ops';
    end if;
    new.claim_id := case new.event when 'submit' then new.id else mine.claim_id end;
    new.user_id := coalesce(new.user_id, mine.user_id);
    new.status := case new.event when 'submit' then 'pending' when 'verify' then 'claimed' else 'unclaimed' end;
    return new;
end $$;

-- Sets the two columns of unified.entities to what the log says, where they differ; returns how many it set. Of all
-- entities: keeps claims out meanwhile, so that none slips between an entity's first row and the look at its claims.
create function ops.settle_claims(entity_ids uuid[] default null) returns bigint
language plpgsql
as $$
declare
    settled bigint := 0;
    asked uuid[] := entity_ids;
begin
    if to_regclass('unified.entities') is null then
        return settled;
    elsif asked is null then
        perform ops.claims_alone();
        asked := array(
            select s.entity_id from ops.claim_states() as s
            union
            select e.id from unified.entities as e where e.claim_status <> 'unclaimed'
        );
    end if;
    if cardinality(asked) = 0 then
        return settled;
    end if;
    update unified.entities as e
    set claim_status = coalesce(s.claim_status, 'unclaimed'), claimed_by = s.claimed_by
    from unnest(asked) as a (id)
    left join ops.claim_states(asked) as s on s.entity_id = a.id
    where e.id = a.id
        and (e.claim_status, e.claimed_by) is distinct from (coalesce(s.claim_status, 'unclaimed'), s.claimed_by);
    get diagnostics settled = row_count;
    return settled;
end $$;

create function ops.settle_new_claims() returns trigger
language plpgsql
as $$ begin
    perform ops.settle_claims(array(
        select distinct e.entity_id from new_claims as n cross join lateral ops.entity_of(n.entity_ref) as e
    ));
    return null;
end $$;

-- Whoever writes the two columns can write only what the log says.
create function ops.guard_claim_columns() returns trigger
language plpgsql
as $$
declare
    says record;
begin
    select s.claim_status, s.claimed_by into says from ops.claim_states(array[new.id]) as s;
    if (new.claim_status, new.claimed_by) is distinct from (coalesce(says.claim_status, 'unclaimed'), says.claimed_by)
    then
        raise exception 'claim_status and claimed_by of % follow ops.claims, which says %: use `sonik claim`',
            new.id, coalesce(says.claim_status, 'unclaimed') using errcode = 'check_violation';
    end if;
    return new;
end $$;

-- Puts the guard on unified.entities, once; dbt makes the table.
create function ops.guard_entities() returns void
language plpgsql
as $$ begin
    if to_regclass('unified.entities') is null or exists (
        select from pg_trigger where tgrelid = to_regclass('unified.entities') and tgname = 'claim_columns_change'
    ) then
        return;
    end if;
    create trigger claim_columns_change before update of claim_status, claimed_by on unified.entities for each row
    when ((old.claim_status, old.claimed_by) is distinct from (new.claim_status, new.claimed_by))
    execute function ops.guard_claim_columns();
    create trigger claim_columns_first before insert on unified.entities for each row
    when (new.claim_status is distinct from 'unclaimed' or new.claimed_by is not null)
    execute function ops.guard_claim_columns();
    create index if not exists entities_claimed on unified.entities (id) where claim_status <> 'unclaimed';
end $$;

-- Ends requests that nobody verified in time; returns how many.
create function ops.expire_claims(older interval default '30 days') returns bigint
language plpgsql
as $$
declare
    expired bigint;
begin
    perform ops.claims_alone();
    insert into ops.claims (id, claim_id, entity_ref, user_id, event, reason)
    select uuidv7(), c.claim_id, c.entity_ref, c.user_id, 'expire', 'not verified within ' || extract(day from older) || ' days'
    from ops.open_claims as c where c.status = 'pending' and c.at < now() - older
    order by c.at, c.seq;
    get diagnostics expired = row_count;
    return expired;
end $$;

-- Before a person makes entities one: ends all of their claims but one, the first that was verified, else the first
-- that was submitted. Returns what it ended.
create function ops.end_merged_claims(entity_ids uuid[], who text) returns setof ops.claims
language sql
as $$
    insert into ops.claims (id, claim_id, entity_ref, user_id, event, decided_by, reason)
    select uuidv7(), claim_id, entity_ref, user_id, case status when 'claimed' then 'revoke' else 'reject' end, who, 'merged'
    from (select * from ops.claims_of(entity_ids) order by status, at, seq offset 1) as rest
    order by status desc, at, seq
    returning *
$$;

-- Who may edit what: `*` stands for everything else, the exact row goes first, no row is no.
create table ops.edit_rules (
    role text not null check (role in ('staff', 'claimant', 'owner')),
    claim_status text not null check (claim_status in ('unclaimed', 'pending', 'claimed', '*')),
    attribute text not null, allowed boolean not null,
    primary key (role, claim_status, attribute)
);
insert into ops.edit_rules (role, claim_status, attribute, allowed)
select 'staff', '*', '*', true
union all select 'claimant', 'pending', a, true from unnest(array['description', 'links', 'picture']) as t (a)
union all select 'owner', 'claimed', '*', true
union all select 'owner', 'claimed', a, false
from unnest(array['canonical_scheme', 'canonical_id', 'google_places_id', 'instagram_url', 'domain']) as t (a)
-- Not attributes to edit: what identity and the log decide.
union all select r, '*', a, false
from unnest(array['staff', 'claimant', 'owner']) as t (r)
cross join unnest(array['id', 'entity_type', 'claim_status', 'claimed_by']) as u (a);

create function ops.may_edit(role text, claim_status text, attribute text) returns boolean
language sql stable
as $$
    select coalesce((
        select r.allowed from ops.edit_rules as r
        where r.role = may_edit.role and r.claim_status in (may_edit.claim_status, '*')
            and r.attribute in (may_edit.attribute, '*')
        order by r.attribute = '*', r.claim_status = '*' limit 1
    ), false)
$$;

create trigger judge_claim before insert on ops.claims for each row execute function ops.judge_claim();
create trigger settle_new_claims after insert on ops.claims referencing new table as new_claims
for each statement execute function ops.settle_new_claims();

-- The log of before, event by event. What could never have been stays in it, part of no claim.
create temporary table refused_claims (id uuid primary key, reason text not null) on commit drop;
select ops.claims_alone();
insert into ops.claims (id, entity_ref, user_id, method, status, at)
select id, entity_ref, user_id, method, status, at from claims_before
order by at, array_position(array['pending', 'claimed'], status) nulls last, id;
alter table ops.claims disable trigger judge_claim;
insert into ops.claims (id, entity_ref, user_id, method, status, event, at, reason)
select
    b.id, b.entity_ref, b.user_id, b.method,
    case when b.status in ('pending', 'claimed') then b.status else 'unclaimed' end,
    case b.status when 'pending' then 'submit' when 'claimed' then 'verify' when 'revoked' then 'revoke'
        when 'expired' then 'expire' else 'reject' end,
    b.at, 'without effect: ' || r.reason
from claims_before as b inner join refused_claims as r using (id);
alter table ops.claims enable trigger judge_claim;
drop table refused_claims, claims_before;

create trigger claims_append_only before update or delete or truncate on ops.claims
for each statement execute function ops.refuse_change();
