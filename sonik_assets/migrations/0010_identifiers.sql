-- `unified.entity_identifiers` was a view and is a table: staff has the rows of every table by the general rule.
delete from ops.access where relation = 'unified.entity_identifiers' and role = 'sonik_staff';
