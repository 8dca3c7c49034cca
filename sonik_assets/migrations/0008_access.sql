-- Who may read which rows: docs/access.md. Roles are of the server, of which this may be one database of several.
do $$
declare
    name text;
begin
    foreach name in array array['sonik_staff', 'sonik_organizer', 'sonik_agent'] loop
        begin
            if not exists (select from pg_roles where rolname = name) then
                execute format('create role %I nologin nosuperuser nobypassrls nocreatedb nocreaterole', name);
            end if;
        exception
            when duplicate_object or unique_violation then null;  -- another database's migration was faster
            when insufficient_privilege then
                raise exception 'the role % is missing and % may not create roles', name, current_user
                using errcode = 'insufficient_privilege', hint = format(
                    'let an administrator run: create role %I; grant %I to %I with inherit false, set true',
                    name, name, current_user
                );
        end;
        if exists (select from pg_roles where rolname = name and (rolsuper or rolbypassrls)) or exists (
            select from pg_auth_members where member = name::regrole
        ) then
            raise exception 'the role % passes row-level security or is a member of another role', name
            using hint = format('let an administrator run: alter role %I nosuperuser nobypassrls; revoke what it is in', name);
        end if;
        -- Who migrates may act as each of them, and is by itself none of them.
        if not pg_has_role(current_user, name, 'SET') then
            begin
                execute format('grant %I to %I with inherit false, set true', name, current_user);
            exception when insufficient_privilege or unique_violation then null;
            end;
        end if;
    end loop;
end $$;

create schema if not exists identity;
create schema if not exists marts;
grant usage on schema unified, marts, ops to sonik_staff, sonik_organizer, sonik_agent;
-- Of these two schemas only staff reads anything, all of it, also what is made later: no rules by row.
grant usage on schema identity to sonik_staff;
grant select on all tables in schema identity, ops to sonik_staff;
alter default privileges in schema identity, ops grant select on tables to sonik_staff;
grant insert on ops.claims, ops.edits to sonik_staff;

-- The organization that this transaction asks for; null, which sees nothing, where it is unset, empty or no uuid.
create function ops.current_organization() returns uuid
language sql stable parallel safe
return case when pg_input_is_valid(current_setting('app.current_organization', true), 'uuid')
    then current_setting('app.current_organization', true)::uuid end;

-- What rules ask of other tables is in functions: a rule can be there before those tables are, and none of them can be
-- dropped together with a rule. They read as whoever asks. Arrays: an index can look all of them up.
create function ops.my_events() returns uuid[]
language plpgsql stable parallel safe
as $$ begin
    return array(select e.id from unified.events as e where e.organizer_id = ops.current_organization());
end $$;

-- The organization itself, its events, and their venues and artists.
create function ops.my_entities() returns uuid[]
language plpgsql stable parallel safe
as $$
declare
    events uuid[] := ops.my_events();
begin
    return array(
        select ops.current_organization()
        union all
        select unnest(events)
        union all
        select e.venue_id from unified.events as e where e.id = any(events)
        union all
        select a.artist_id from unified.event_artists as a where a.event_id = any(events)
    );
end $$;

-- Who reads what. Staff reads every table, the rest is here or is not granted. `rule`: of the rows, over their columns;
-- `columns`: null is all of them.
create table ops.access (
    relation text not null,
    role text not null check (role in ('sonik_staff', 'sonik_organizer', 'sonik_agent')),
    rule text not null default 'true',
    columns text[],
    primary key (relation, role)
);

-- Views have the rules of what they read. Those that are steps on the way to a table read raw records: nobody's.
insert into ops.access (relation, role)
select 'unified.' || name, 'sonik_staff'
from unnest(array[
    'persons', 'venues', 'organizations', 'artists', 'brands', 'entity_identifiers', 'claim_states', 'room_wishes',
    'double_bookings'
]) as t (name);

insert into ops.access (relation, role, rule, columns)
select relation, 'sonik_organizer', rule, string_to_array(columns, ' ')
from (values
    ('unified.events', 'organizer_id = (select ops.current_organization())', null),
    ('unified.event_artists', 'event_id = any((select ops.my_events())::uuid[])', null),
    ('unified.room_bookings', 'event_id = any((select ops.my_events())::uuid[])', null),
    ('unified.campaigns', 'organizer_id = (select ops.current_organization())', null),
    (
        'unified.entities', 'entity_type <> ''person'' and id = any((select ops.my_entities())::uuid[])',
        'id entity_type name claim_status first_seen_at updated_at'
    ),
    -- That something happened, not to whom.
    (
        'unified.interactions', 'event_id = any((select ops.my_events())::uuid[])',
        'id event_id content_id campaign_id channel kind at day amount currency'
    ),
    (
        'unified.purchases', 'event_id = any((select ops.my_events())::uuid[])',
        'id event_id campaign_id amount currency status at'
    ),
    (
        'unified.tickets', 'event_id = any((select ops.my_events())::uuid[])',
        'id purchase_id event_id tier price checked_in_at'
    ),
    ('marts.whats_on', 'true', null),
    ('marts.event_traffic', 'organizer_id = (select ops.current_organization())', null),
    ('marts.attribution', 'organizer_id = (select ops.current_organization())', null),
    ('marts.promoter_conversion', 'organizer_id = (select ops.current_organization())', null),
    (
        'marts.virality', 'organizer_id = (select ops.current_organization())',
        'subject_id scope event_id content_id organizer_id name users shares sharers referred acted'
            || ' invitations_per_user acted_per_invitation k_factor trees largest_tree depth'
    )
) as t (relation, rule, columns);

-- Agents work for staff, and need nobody's name, address or number for it. What is told without them has no person's id.
insert into ops.access (relation, role, rule, columns)
select relation, 'sonik_agent', rule, string_to_array(columns, ' ')
from (values
    (
        'unified.entities', 'entity_type <> ''person''',
        'id entity_type name canonical_scheme canonical_id claim_status metadata first_seen_at updated_at'
    ),
    ('unified.relationships', 'from_label <> ''Person'' and to_label <> ''Person''', null),
    (
        'unified.interactions', 'true',
        'id event_id content_id campaign_id channel kind at day amount currency'
    ),
    ('unified.purchases', 'true', 'id event_id campaign_id amount currency status at'),
    ('unified.tickets', 'true', 'id purchase_id event_id tier price checked_in_at'),
    ('unified.opportunities', 'true', 'id name amount currency stage close_date organization_id updated_at'),
    (
        'marts.organizer_leads', 'true',
        'organization_id name domain instagram_url claim_status events views clicks conversions last_click_at sentence'
            || ' crm_stage score'
    ),
    (
        'marts.virality', 'true',
        'subject_id scope event_id content_id organizer_id name users shares sharers referred acted'
            || ' invitations_per_user acted_per_invitation k_factor trees largest_tree depth'
    )
) as t (relation, rule, columns);
insert into ops.access (relation, role)
select name, 'sonik_agent'
from unnest(array[
    'unified.events', 'unified.event_artists', 'unified.room_bookings', 'unified.campaigns', 'unified.channels',
    'unified.content', 'unified.content_mentions', 'unified.markets', 'unified.features', 'unified.feature_flags',
    'unified.concepts', 'unified.code_modules', 'unified.revenues', 'unified.sentiments', 'unified.agent_sessions',
    'unified.agent_memories', 'unified.agent_queries', 'unified.agent_references', 'marts.whats_on',
    'marts.event_traffic', 'marts.attribution', 'marts.channel_effects', 'marts.promoter_conversion',
    'marts.content_ideas'
]) as t (name);

-- What protects a relation, one line an item: as it is.
create function ops.access_found(relation regclass) returns setof text
language sql stable
as $$
    select 'forced' from pg_class where oid = relation and relrowsecurity and relforcerowsecurity
    union all
    select concat_ws(' ', 'policy', polname, obj_description(oid, 'pg_policy')) from pg_policy where polrelid = relation
    union all
    select concat_ws(' ', 'grant', a.privilege_type, coalesce(r.rolname, 'public'))
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    left join pg_roles as r on r.oid = a.grantee
    where c.oid = relation and (a.grantee = 0 or r.rolname in ('sonik_staff', 'sonik_organizer', 'sonik_agent'))
    union all
    select concat_ws(
        ' ', 'grant', x.privilege_type, coalesce(r.rolname, 'public'), string_agg(a.attname, ', ' order by a.attnum)
    )
    from pg_attribute as a
    cross join lateral aclexplode(a.attacl) as x
    left join pg_roles as r on r.oid = x.grantee
    where a.attrelid = relation and not a.attisdropped
        and (x.grantee = 0 or r.rolname in ('sonik_staff', 'sonik_organizer', 'sonik_agent'))
    group by x.privilege_type, r.rolname
$$;

-- The same as it should be, and how to make each. A partition is read through its parent, or by who fills it.
create function ops.access_wanted(relation regclass) returns table (item text, make text)
language sql stable
as $$
    with told as (
        select
            c.relkind in ('r', 'p') as is_table, c.relispartition, c.relowner::regrole::text as owner,
            format('%s.%s', n.nspname, c.relname) as name
        from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace where c.oid = relation
    ),
    readers as (
        select a.role, a.rule, a.columns, a.role = 'sonik_staff' as is_staff
        from told as t inner join ops.access as a on a.relation = t.name
        where not t.relispartition
        union all
        select 'sonik_staff', 'true', null, true from told where is_table and not relispartition
    ),
    granted as (
        select r.role, string_agg(a.attname, ', ' order by a.attnum) as columns
        from readers as r
        inner join pg_attribute as a on a.attrelid = relation and a.attname = any(r.columns) and not a.attisdropped
        group by r.role
    ),
    policies as (
        select role as name, role as whose, case when is_staff then 'all' else 'select' end as command, rule
        from readers cross join told where is_table
        union all
        -- Forced, the rules hold for the owner too, and only a superuser fills a table without one.
        select 'builder', owner, 'all', 'true' from told where is_table
    )
    select 'forced', format('alter table %s enable row level security, force row level security', relation)
    from told where is_table
    union all
    select
        concat_ws(' ', 'policy', name, d.digest),
        format('create policy %I on %s for %s to %s using (%s)', name, relation, command, whose, rule)
            || format('; comment on policy %I on %s is %L', name, relation, d.digest)
    from policies cross join lateral (select md5(concat_ws(' ', command, whose, rule)) as digest) as d
    union all
    select 'grant SELECT ' || role, format('grant select on %s to %I', relation, role) from readers where columns is null
    union all
    select concat_ws(' ', 'grant SELECT', role, columns), format('grant select (%s) on %s to %I', columns, relation, role)
    from granted
    union all
    -- A trigger on ops.claims sets them, as whoever writes the claim.
    select
        'grant UPDATE sonik_staff claim_status, claimed_by',
        format('grant update (claim_status, claimed_by) on %s to sonik_staff', relation)
    from told where name = 'unified.entities'
$$;

-- Makes a relation as ops.access says, in the caller's transaction. One that is so is only looked at.
create function ops.protect(relation regclass) returns void
language plpgsql
as $$
declare
    each text;
begin
    if array(select f.item from ops.access_found(relation) as f (item) order by 1)
        <> array(select w.item from ops.access_wanted(relation) as w order by 1)
    then
        for each in select polname from pg_policy where polrelid = relation loop
            execute format('drop policy %I on %s', each, relation);
        end loop;
        execute format('revoke all on %s from public, sonik_staff, sonik_organizer, sonik_agent', relation);
        for each in select w.make from ops.access_wanted(relation) as w loop
            execute each;
        end loop;
    end if;
    for each in select inhrelid::regclass from pg_inherits where inhparent = relation loop
        perform ops.protect(each::regclass);
    end loop;
end $$;

select ops.protect(c.oid)
from pg_class as c
where c.relnamespace in ('unified'::regnamespace, 'marts'::regnamespace) and c.relkind in ('r', 'p', 'v')
    and not c.relispartition;
