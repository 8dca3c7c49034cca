// answers: of the people who shared or attended a promoter's events, how many bought a ticket for one
// graph: operations
// param: least int = 5 — leave out promoters with fewer people
// param: limit int = 20 — at most so many promoters
// example: sonik query promoters_by_conversion --param least=20
MATCH (promoter:Organization)<-[:PROMOTED_BY]-(event:Event)<-[:SHARED|ATTENDED]-(fan:Person)
WITH DISTINCT promoter, event, fan
OPTIONAL MATCH (fan)-[:PURCHASED]->(ticket:Ticket) WHERE ticket.event_id = event.id
WITH promoter, fan, count(ticket) AS tickets
WITH promoter, count(fan) AS people, sum(CASE WHEN tickets > 0 THEN 1 ELSE 0 END) AS buyers
WHERE people >= $least
RETURN promoter.name AS promoter, people, buyers, round(1000.0 * buyers / people) / 1000 AS rate, promoter.id AS id
ORDER BY rate DESC, buyers DESC, id LIMIT $limit
