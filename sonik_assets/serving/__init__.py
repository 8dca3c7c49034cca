"""The read side: named graph queries, entities, what is on, leads, search. Writes nothing to the stores."""
