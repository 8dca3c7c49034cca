// answers: of the people who shared or attended a promoter's events, how many bought a ticket for one
// graph: operations
// scope: staff, agent — it compares promoters; an organizer's own rate is in marts.promoter_conversion
// reach: whole
// param: least int(1..1000000) = 5 — leave out promoters with fewer people among those asked
// param: limit int(1..1000) = 20 — at most so many promoters
// id: id organization
// sampled: every n-th of more than 20,000 people is asked; `people` and `buyers` are of those, the rate holds for all
// example: sonik query promoters_by_conversion --param least=20
MATCH (person:Person) WITH 1 + (count(person) - 1) / 20000 AS every
MATCH (fan:Person) WHERE ID(fan) % every = 0
WITH every, fan
MATCH (fan)-[:SHARED|ATTENDED]->(event:Event)
WITH every, fan, event
MATCH (event)-[:PROMOTED_BY]->(promoter:Organization)
WITH DISTINCT every, promoter, fan, event
OPTIONAL MATCH (fan)-[:PURCHASED]->(ticket:Ticket) WHERE ticket.event_id = event.id
WITH every, promoter, fan, count(ticket) AS tickets
WITH every, promoter, count(fan) AS people, sum(CASE WHEN tickets > 0 THEN 1 ELSE 0 END) AS buyers
WHERE people >= $least
RETURN promoter.name AS promoter, people, buyers, round(1000.0 * buyers / people) / 1000 AS rate,
       every > 1 AS sampled, promoter.id AS id
ORDER BY rate DESC, buyers DESC, id LIMIT $limit
