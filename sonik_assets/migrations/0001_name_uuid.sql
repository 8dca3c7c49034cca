-- A given server may have another zone; every time without one is UTC here.
do $$ begin
    execute format('alter database %I set timezone to ''UTC''', current_database());
end $$;
set timezone to 'UTC';

-- The id of a row that is no resolved entity: a name-based UUID, laid out as version 5. PostgreSQL's core has no
-- SHA-1, which RFC 9562 wants for version 5, so the digest is the first 128 bits of SHA-256 (docs/adr/0007).
create function ops.name_uuid(name text) returns uuid
language sql immutable strict parallel safe
as $$
    select encode(
        set_byte(set_byte(digest, 6, (get_byte(digest, 6) & 15) | 80), 8, (get_byte(digest, 8) & 63) | 128), 'hex'
    )::uuid
    from (select substr(sha256(convert_to(name, 'UTF8')), 1, 16)) as d (digest)
$$;
