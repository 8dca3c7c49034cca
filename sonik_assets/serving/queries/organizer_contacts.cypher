// answers: through whom an organizer can be reached: its own people, the managers of its artists, the owners of its venues
// graph: operations
// scope: staff — a row names a person
// reach: hops
// param: organizer organization — the organizer's name or id
// param: limit int(1..1000) = 100 — at most so many ties of each kind
// example: sonik query organizer_contacts --param organizer="Producciones Neón"
MATCH (person:Person)-[tie:WORKS_FOR|OWNS]->(firm:Organization {id: $organizer})
RETURN person.name AS person, type(tie) AS tie, firm.name AS of, 0 AS events, person.id AS id
ORDER BY person, id LIMIT $limit
UNION
MATCH (:Organization {id: $organizer})<-[:PROMOTED_BY]-(event:Event)<-[:PERFORMS_AT]-(artist:Artist)
WITH artist, count(DISTINCT event) AS events
MATCH (artist)<-[tie:MANAGES]-(person:Person)
RETURN person.name AS person, type(tie) AS tie, artist.name AS of, events, person.id AS id
ORDER BY events DESC, id LIMIT $limit
UNION
MATCH (:Organization {id: $organizer})<-[:PROMOTED_BY]-(event:Event)-[:HOSTED_BY]->(venue:Venue)
WITH venue, count(DISTINCT event) AS events
MATCH (venue)<-[tie:OWNS|MANAGES]-(person:Person)
RETURN person.name AS person, type(tie) AS tie, venue.name AS of, events, person.id AS id
ORDER BY events DESC, id LIMIT $limit
