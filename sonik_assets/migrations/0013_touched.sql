-- Entities that unified.entities has looked at and unified.events not yet: each run of that takes them away.
create table ops.touched (id uuid primary key);
