-- Entities that unified.entities has looked at and unified.events not yet: each run of that takes them away.
-- `elsewhere`: what stands for it may be another than before, not only what that says.
create table ops.touched (id uuid primary key, elsewhere boolean not null);
