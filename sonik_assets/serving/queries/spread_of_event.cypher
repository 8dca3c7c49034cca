// answers: how an event spread: who shared it, whom they referred to it, who came and who bought, by generation
// graph: operations
// scope: staff, agent, organizer
// reach: search
// param: event event — the event's name or id
// runner: spread
// example: sonik query spread_of_event --param event="Los Colibrí de la Austral en vivo"
MATCH (event:Event {id: $event})
WHERE $own IS NULL OR event.id IN $own
WITH event
MATCH (event)<-[:SHARED]-(person)
RETURN 'shared' AS act, toJSON(collect(ID(person))) AS people
UNION ALL
MATCH (event:Event {id: $event})
WHERE $own IS NULL OR event.id IN $own
WITH event
MATCH (event)<-[:ATTENDED]-(person)
RETURN 'came' AS act, toJSON(collect(ID(person))) AS people
UNION ALL
MATCH (ticket:Ticket {event_id: $event})
WHERE $own IS NULL OR ticket.event_id IN $own
WITH ticket
MATCH (ticket)<-[:PURCHASED]-(person)
RETURN 'bought' AS act, toJSON(collect(DISTINCT ID(person))) AS people
