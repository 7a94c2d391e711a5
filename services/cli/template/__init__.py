"""Templates: a school's documents as data, which `zhengai school add --template` loads and `zhengai school export` writes."""
