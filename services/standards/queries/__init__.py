"""Every SELECT of standards; what belongs to one school takes its scope or its code first."""
