// answers: which other events the people of an event went to
// graph: operations
// scope: staff, agent, organizer
// reach: hops
// param: event event — the event's name or id
// param: limit int(1..100) = 20 — at most so many events
// id: id event
// sampled: of an event with over 400 people every n-th person is asked; `people` are of those, `asked` is how many
// example: sonik query who_also_attended --param event="Los Colibrí de la Austral en vivo"
MATCH (event:Event {id: $event})
WHERE $own IS NULL OR event.id IN $own
WITH event
MATCH (event)<-[:ATTENDED]-(fan)
WITH collect(fan) AS fans
WITH fans, 1 + (size(fans) - 1) / 400 AS every
UNWIND range(0, size(fans) - 1, every) AS position
WITH fans[position] AS fan, every, 1 + (size(fans) - 1) / every AS asked
MATCH (fan)-[:ATTENDED]->(other)
WHERE $own IS NULL OR other.id IN $own
WITH other, count(fan) AS people, every, asked
WHERE other.id <> $event
WITH other, people, every, asked ORDER BY people DESC LIMIT 1000
RETURN other.name AS event, other.date AS date, people, asked, every > 1 AS sampled, other.id AS id
ORDER BY people DESC, date, id LIMIT $limit
