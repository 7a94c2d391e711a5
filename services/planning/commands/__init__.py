"""Everything that changes planning's state: plans and goals, what warnings do, what people do, what the clock does, and the copies."""
