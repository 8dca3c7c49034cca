// answers: through whom an organizer can be reached: its own people, the managers of its artists, the owners of its venues
// graph: operations
// scope: staff — a row names a person
// reach: hops
// param: organizer organization — the organizer's name or id
// param: limit int(1..1000) = 100 — at most so many ties of each kind
// sampled: of an organizer with over 200 events every n-th is asked for artists and venues; `events` are of those
// example: sonik query organizer_contacts --param organizer="Producciones Neón"
MATCH (firm:Organization {id: $organizer})
WITH firm
MATCH (person)-[tie:WORKS_FOR|OWNS]->(firm)
RETURN person.name AS person, type(tie) AS tie, firm.name AS of, 0 AS events, false AS sampled, person.id AS id
ORDER BY person, id LIMIT $limit
UNION
MATCH (firm:Organization {id: $organizer})
WITH firm
MATCH (firm)<-[:PROMOTED_BY]-(event)
WITH collect(event) AS events
WITH events, 1 + (size(events) - 1) / 200 AS every
UNWIND range(0, size(events) - 1, every) AS position
WITH events[position] AS event, every > 1 AS sampled
MATCH (event)<-[:PERFORMS_AT]-(artist)
WITH artist, sampled, count(event) AS events
MATCH (artist)<-[tie:MANAGES]-(person)
RETURN person.name AS person, type(tie) AS tie, artist.name AS of, events, sampled, person.id AS id
ORDER BY events DESC, id LIMIT $limit
UNION
MATCH (firm:Organization {id: $organizer})
WITH firm
MATCH (firm)<-[:PROMOTED_BY]-(event)
WITH collect(event) AS events
WITH events, 1 + (size(events) - 1) / 200 AS every
UNWIND range(0, size(events) - 1, every) AS position
WITH events[position] AS event, every > 1 AS sampled
MATCH (event)-[:HOSTED_BY]->(venue)
WITH venue, sampled, count(event) AS events
MATCH (venue)<-[tie:OWNS|MANAGES]-(person)
RETURN person.name AS person, type(tie) AS tie, venue.name AS of, events, sampled, person.id AS id
ORDER BY events DESC, id LIMIT $limit
