// answers: who brings the most others, by the weight of what they shared and whom they referred
// graph: operations
// param: limit int = 20 — at most so many people
// example: sonik query influencers --param limit=10
MATCH (person:Person)-[act:SHARED|REFERRED]->()
RETURN person.name AS person, sum(act.weight) AS weight,
       sum(CASE type(act) WHEN 'SHARED' THEN 1 ELSE 0 END) AS shared,
       sum(CASE type(act) WHEN 'REFERRED' THEN 1 ELSE 0 END) AS referred, person.id AS id
ORDER BY weight DESC, id LIMIT $limit
