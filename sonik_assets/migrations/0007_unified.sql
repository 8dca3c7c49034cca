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
    execute format('delete from %s where at < %L', parent, before);  -- far-off clocks, in the default partition
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
    select case
        when pg_has_role(current_user, 'pg_read_all_stats', 'usage') then least(now(), min(xact_start))
        -- The transactions of other logins are hidden from this one: no extract's batch is open for an hour.
        else now() - interval '1 hour'
    end
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null and state <> 'idle'
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

-- Corrections that people made here: an owner's of what is theirs, or staff's. Append-only; the newest of an attribute
-- holds. `entity_ref` is a record, so that an edit follows it through merges and splits. A null value takes an edit back.
-- `claim_id`: the open claim that a claimant's or an owner's edit was made under; it holds as long as that.
create table ops.edits (
    seq bigint generated always as identity primary key,
    id uuid not null default uuidv7() unique,
    entity_ref text not null,
    attribute text not null,
    value jsonb,
    role text not null check (role in ('staff', 'claimant', 'owner')),
    edited_by text not null check (edited_by <> ''),
    claim_id uuid,
    reason text,
    at timestamptz not null default now()
);
create index edits_entity_ref on ops.edits (entity_ref);
create index edits_claim on ops.edits (claim_id) where claim_id is not null;
create trigger edits_append_only before update or delete on ops.edits
for each statement execute function ops.refuse_change();
create trigger edits_not_truncated before truncate on ops.edits
for each statement execute function ops.refuse_change();

-- Edits that hold: of each record and attribute the newest, unless it took one back.
create view ops.standing_edits as
select e.* from ops.edits as e
where e.value is not null and not exists (
    select from ops.edits as later
    where later.entity_ref = e.entity_ref and later.attribute = e.attribute and later.seq > e.seq
);

-- A value as the models read it; what people typed as a number is text where the attribute is one, and the reverse.
create function ops.edited_value(attribute text, value jsonb) returns jsonb
language sql immutable
return case
    when attribute in ('name', 'description', 'address', 'city', 'country', 'website', 'instagram', 'phone', 'bio',
        'category', 'job_title', 'picture', 'ticket_url', 'currency', 'status')
        and jsonb_typeof(value) in ('string', 'number', 'boolean') then to_jsonb(btrim(
            case attribute when 'currency' then upper(value #>> '{}') else value #>> '{}' end
        ))
    when attribute in ('capacity', 'followers', 'price_min', 'price_max') and jsonb_typeof(value) = 'string'
        and value #>> '{}' ~ '^\s*\d{1,15}(\.\d{1,6})?\s*$' then to_jsonb(trim_scale((value #>> '{}')::numeric))
    when attribute in ('capacity', 'followers') and jsonb_typeof(value) = 'number' then to_jsonb(trim_scale(value::numeric))
    when attribute = 'coordinates' and jsonb_typeof(value) = 'object' then (
        select coalesce(jsonb_object_agg(
            key, case jsonb_typeof(part) when 'number' then to_jsonb(round(part::numeric, 9)) else part end
        ), '{}')
        from jsonb_each(value) as each (key, part)
    )
    when value <> 'null' then value
end;

-- What is wrong with an edit's value; null: nothing.
create function ops.edit_fault(entity_type text, attribute text, value jsonb) returns text
language sql immutable
return case
    when attribute !~ '^[a-z][a-z0-9_]{0,62}$' then
        left(attribute, 80) || ' is no name of an attribute: lower-case letters, digits and _'
    when attribute in ('records', 'provenance') then attribute || ' is counted, not told'
    when attribute in ('latitude', 'longitude') then
        'a place is one value: give coordinates={"latitude": 19.4326, "longitude": -99.1332}'
    when attribute in ('canonical_scheme', 'canonical_id', 'google_places_id', 'instagram_url', 'domain', 'email') then
        attribute || ' says which records are one thing: correct it in its source, or use `sonik entity alias`'
    when entity_type = 'event' and attribute in ('event_key', 'starts_at', 'ends_at', 'local_date', 'venue', 'organizer')
        then attribute || ' says which records are one event: correct it in its source'
    when value is null then null
    when octet_length(value::text) > 20000 then attribute || ' is longer than 20,000 bytes'
    when attribute in ('name', 'description', 'address', 'city', 'country', 'website', 'instagram', 'phone', 'bio',
        'category', 'job_title', 'picture', 'ticket_url', 'currency', 'status')
        and (jsonb_typeof(value) <> 'string' or value #>> '{}' !~ '\S') then attribute || ' is a text, and not empty'
    when attribute = 'name' and length(value #>> '{}') > 300 then 'a name has at most 300 characters'
    when attribute in ('picture', 'ticket_url') and value #>> '{}' !~* '^https?://[^\s/]+\.\S+$' then
        attribute || ' is an address that begins with https://'
    when attribute = 'currency' and value #>> '{}' !~ '^[A-Z]{3}$' then 'currency is a code of three letters, as MXN'
    when entity_type = 'event' and attribute = 'status'
        and value #>> '{}' not in ('scheduled', 'moved', 'cancelled') then 'status is scheduled, moved or cancelled'
    when attribute = 'genres' and (
        jsonb_typeof(value) <> 'array' or jsonb_path_exists(value, '$[*] ? (@.type() != "string" || !(@ like_regex "\\S"))')
    ) then 'genres are texts: genres=["techno", "house"]'
    when attribute in ('capacity', 'followers', 'price_min', 'price_max') and jsonb_typeof(value) <> 'number' then
        attribute || ' is a number'
    when attribute in ('capacity', 'followers') and (
        value::text::numeric % 1 <> 0 or value::text::numeric not between 0 and 2000000000
    ) then attribute || ' is a whole number from 0 on'
    when attribute in ('price_min', 'price_max') and value::text::numeric not between 0 and 1e15 then
        attribute || ' is an amount from 0 on'
    when attribute = 'coordinates' and not (
        jsonb_typeof(value) = 'object' and jsonb_path_exists(
            value, '$ ? (@.latitude >= -90 && @.latitude <= 90 && @.longitude >= -180 && @.longitude <= 180)'
        ) and value - '{latitude, longitude}'::text[] = '{}'
    ) then 'coordinates are {"latitude": -90 to 90, "longitude": -180 to 180}'
end;

-- Who may edit the attribute and who may not, as people read it.
create function ops.edit_refusal(role text, who text, what text, state text, attribute text) returns text
language sql stable
as $$
    select case
        when role = 'staff' then attribute || ' is nobody''s to edit: identity and the log of claims decide it'
        when state is null then
            what || ' has no open claim of user ' || who || ': `sonik claim submit` asks for it, staff may edit it'
        when role <> case state when 'claimed' then 'owner' else 'claimant' end then
            'user ' || who || ' is the ' || case state when 'claimed' then 'owner' else 'claimant' end || ' of ' || what
            || ', not its ' || role
        when role = 'claimant' then (
            select 'a claimant may edit ' || string_agg(r.attribute, ', ' order by r.attribute) || ' of ' || what
                || ', not ' || edit_refusal.attribute || ', until the claim is verified'
            from ops.edit_rules as r where r.role = 'claimant' and r.allowed
        )
        else 'an owner may not edit ' || attribute || ' of ' || what || ': it is what others know it by'
    end
$$;

-- Judges each new row: what is wrong with it is the error's text.
create function ops.judge_edit() returns trigger
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
    here record;
    claim record;
    why text;
begin
    new.at := clock_timestamp();  -- a run looks at what is new: an edit is never of before
    new.value := ops.edited_value(new.attribute, new.value);
    if pg_trigger_depth() > 1 then
        return new;  -- a claim has ended: what was judged once holds again, also of a record that is gone
    end if;
    select * into here from ops.entity_of(new.entity_ref);
    if here.entity_id is null then
        why := new.entity_ref || ' stands for nothing today: give source/table/record_id of a record that a run has seen';
    elsif new.role <> 'staff' then
        -- A claim must not end between this look at it and the edit.
        perform pg_advisory_xact_lock_shared(hashtext('sonik.claims'));
        perform pg_advisory_xact_lock(hashtextextended(here.entity_id::text, 6));
    end if;
    select c.claim_id, c.status into claim
    from ops.claims_of(array[here.entity_id]) as c
    where c.user_id = new.edited_by
        or c.claimant = (select u.entity_id from ops.entity_of('mongo/users/' || new.edited_by) as u)
    order by c.status, c.at, c.seq limit 1;
    why := coalesce(why, ops.edit_fault(here.entity_type, new.attribute, new.value));
    if why is null and not (
        ops.may_edit(
            new.role, coalesce(claim.status, case new.role when 'staff' then 'unclaimed' end), new.attribute
        ) and new.role in ('staff', case claim.status when 'claimed' then 'owner' when 'pending' then 'claimant' end)
    ) then
        why := ops.edit_refusal(new.role, new.edited_by, new.entity_ref, claim.status, new.attribute);
    end if;
    if why is not null then
        raise exception '%', why using errcode = 'check_violation', table = 'edits', schema = 'ops';
    end if;
    new.claim_id := case when new.role <> 'staff' then claim.claim_id end;
    return new;
end $$;
create trigger judge_edit before insert on ops.edits for each row execute function ops.judge_edit();

-- Where a claim has ended, so have the edits that were made under it: what others had edited before holds again.
create function ops.end_edits() returns trigger
language plpgsql
as $$ begin
    insert into ops.edits (entity_ref, attribute, value, role, edited_by, reason)
    select e.entity_ref, e.attribute, before.value, 'staff', 'sonik', 'the claim has ended: ' || n.event
    from new_claims as n
    inner join ops.standing_edits as e on e.claim_id = n.claim_id
    left join lateral (
        select b.value from ops.edits as b
        where b.entity_ref = e.entity_ref and b.attribute = e.attribute and b.seq < e.seq
            and b.claim_id is distinct from e.claim_id
        order by b.seq desc limit 1
    ) as before on true
    where n.status = 'unclaimed'
    order by e.seq;
    return null;
end $$;
create trigger end_edits after insert on ops.claims referencing new table as new_claims
for each statement execute function ops.end_edits();

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

-- Great-circle distance in km of two points in degrees (WGS 84 taken as a sphere of 6,371.0088 km, the mean radius R1 of
-- IUGG): haversine, off by 0.5 % at most. hav(a) is written (1 - cos a) / 2: the square of nearly nothing is an underflow,
-- which is an error here; this costs less than a metre.
create function ops.distance_km(
    latitude float8, longitude float8, other_latitude float8, other_longitude float8
) returns float8
language sql immutable strict parallel safe
return 2 * 6371.0088 * asin(sqrt(least(
    1.0,
    (1 - cosd(other_latitude - latitude)) / 2
    + cosd(latitude) * cosd(other_latitude) * (1 - cosd(other_longitude - longitude)) / 2
)));
