"""Everything that changes planning's state: what warnings do, what people do, what the clock does, and the copies."""
