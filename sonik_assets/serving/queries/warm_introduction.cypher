// answers: how two people, venues, artists or organizers are connected, in at most six steps
// graph: operations
// param: from entity — a name or id
// param: to entity — a name or id
// runner: shortest_path
// example: sonik path "Iker Urrutia" "Circo Rolex"
// One step of the search: the neighbours of the nodes reached so far, each with the node it was reached from.
// FalkorDB's shortestPath follows one direction only, and its SPpaths ignores the time limit on large graphs.
UNWIND $frontier AS reached
MATCH (node) WHERE ID(node) = reached
MATCH (node)--(neighbour)
RETURN ID(neighbour) AS neighbour, min(ID(node)) AS reached_from
