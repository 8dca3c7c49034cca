// answers: how two people, venues, artists or organizers are connected, in at most six steps
// graph: operations
// scope: staff, agent — of relationships organizers see none; agents get ways that lead over no person
// reach: search
// param: from entity — a name or id
// param: to entity — a name or id
// param: half_life_days half_life = never — after so many days a tie counts half
// runner: warm_introduction
// example: sonik path "Iker Urrutia" "Circo Rolex"
// One step of the search: the edges of the nodes reached so far, at most $most of them.
UNWIND $frontier AS number
MATCH (node) WHERE ID(node) = number
WITH node
MATCH (node)--(neighbour)
WITH node, neighbour LIMIT $most
WHERE $persons OR NOT 'Person' IN labels(neighbour)
RETURN toJSON(collect(ID(node))) AS origins, toJSON(collect(ID(neighbour))) AS reached
