// answers: through whom an organizer can be reached: its own people, the managers of its artists, the owners of its venues
// graph: operations
// param: organizer organization — the organizer's name or id
// example: sonik query lead_paths --param organizer="Producciones Neón"
MATCH (person:Person)-[tie:WORKS_FOR|OWNS]->(firm:Organization {id: $organizer})
RETURN person.name AS person, type(tie) AS tie, firm.name AS of, 0 AS events, person.id AS id
UNION
MATCH (:Organization {id: $organizer})<-[:PROMOTED_BY]-(event:Event)<-[:PERFORMS_AT]-(artist:Artist)
MATCH (artist)<-[tie:MANAGES]-(person:Person)
RETURN person.name AS person, type(tie) AS tie, artist.name AS of, count(DISTINCT event) AS events, person.id AS id
UNION
MATCH (:Organization {id: $organizer})<-[:PROMOTED_BY]-(event:Event)-[:HOSTED_BY]->(venue:Venue)
MATCH (venue)<-[tie:OWNS|MANAGES]-(person:Person)
RETURN person.name AS person, type(tie) AS tie, venue.name AS of, count(DISTINCT event) AS events, person.id AS id
