// answers: which other events the people of an event went to
// graph: operations
// param: event event — the event's name or id
// param: limit int = 20 — at most so many events
// example: sonik query who_also_attended --param event="Los Colibrí de la Austral en vivo"
MATCH (:Event {id: $event})<-[:ATTENDED]-(fan:Person)-[:ATTENDED]->(other:Event)
WHERE other.id <> $event
RETURN other.name AS event, other.date AS date, count(DISTINCT fan) AS people, other.id AS id
ORDER BY people DESC, date, id LIMIT $limit
