-- The same ids as before (0001, 0007) for half the cost: in built-in functions that are all immutable, so that the planner
-- does put it into a query, and with the name used once, so that it does so whatever the name is made of.
-- `convert_to` is only stable; a backslash doubled is one backslash in a bytea's escape format, all else is itself.
-- Bits 48 to 51 are the version, 5; bits 64 and 65 the variant. A bit string begins with the four bytes of its length.
do $$ begin
    if getdatabaseencoding() <> 'UTF8' then
        raise exception 'this database is encoded in %, and names become ids by their bytes in UTF-8: give Sonik a '
            'database made with "create database ... encoding ''UTF8''"', getdatabaseencoding();
    end if;
end $$;
create or replace function ops.name_uuid(name text) returns uuid
language sql immutable strict parallel safe
return encode(
    substr(
        varbit_send(
            ('x' || left(encode(sha256(replace(name, '\', '\\')::bytea), 'hex'), 32))::bit(128)
            & x'ffffffffffff0fff3fffffffffffffff' | x'00000000000050008000000000000000'
        ), 5
    ), 'hex'
)::uuid;

-- They only read: what joins them may be read by several processes.
alter function ops.claims_of(uuid[]) parallel restricted;
alter function ops.claim_states(uuid[]) parallel restricted;

-- A key means one thing at a time: what compares them (macros/engagement.sql) may rely on it.
create unique index seen_keys_key on ops.seen_keys (key, kind, valid_from) nulls not distinct;
