// answers: groups of people who bring each other (label propagation over referrals), and where they go
// graph: operations
// scope: staff, agent — made of everybody's audience
// reach: whole
// param: least int(2..1000000) = 5 — leave out smaller groups
// param: half_life_days half_life = never — after so many days a referral counts half
// param: limit int(1..100) = 20 — at most so many groups, the largest
// runner: communities
// sampled: where a group goes is asked of at most 200 of its people
// example: sonik query communities --param least=20
MATCH (person:Person)-[act:REFERRED]->(brought:Person)
WITH ID(person) AS who, ID(brought) AS whom, decayed(act) AS weight LIMIT 5000000
RETURN toJSON(collect(who)) AS who, toJSON(collect(whom)) AS whom, toJSON(collect(weight)) AS weight
