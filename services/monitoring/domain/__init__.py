"""Values and decisions of monitoring: windows, attribution, episodes."""
