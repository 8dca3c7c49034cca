"""Stage 8: the semantic cache around serving, filled before anybody asks and swept of what is out of date."""
