// answers: who brings the most others: PageRank backwards over what people shared and whom they referred
// graph: operations
// scope: staff — a row is a person
// reach: whole
// param: half_life_days half_life = never — after so many days an act counts half
// param: limit int(1..1000) = 20 — at most so many people
// runner: influencers
// example: sonik query influencers --param limit=10
// One type at a time: to read both at once takes twice as long.
MATCH (person:Person)-[act:SHARED]->(brought)
WITH ID(person) AS who, ID(brought) AS whom, decayed(act) AS weight LIMIT 5000000
RETURN toJSON(collect(who)) AS who, toJSON(collect(whom)) AS whom, toJSON(collect(weight)) AS weight
UNION ALL
MATCH (person:Person)-[act:REFERRED]->(brought)
WITH ID(person) AS who, ID(brought) AS whom, decayed(act) AS weight LIMIT 5000000
RETURN toJSON(collect(who)) AS who, toJSON(collect(whom)) AS whom, toJSON(collect(weight)) AS weight
