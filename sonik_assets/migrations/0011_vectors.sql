-- Vectors of texts that were embedded once: nothing is embedded twice. `text_hash` is of model and text.
create table ops.embeddings (
    text_hash text primary key,
    model text not null,
    vector real[] not null,
    made_at timestamptz not null default now()
);
-- A vector tells of the text that it is of: nobody reads it here.
revoke all on ops.embeddings from sonik_staff;

-- `unified.embeddings` is made by its asset where the server has pgvector. Rules of its rows are those of what they are of.
insert into ops.access (relation, role, rule, columns) values
    ('unified.embeddings', 'sonik_organizer', 'kind <> ''person'' and document_id = any((select ops.my_entities())::uuid[])', null),
    ('unified.embeddings', 'sonik_agent', 'kind <> ''person''', null);
