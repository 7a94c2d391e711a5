"""Every change of the gateway's state."""
