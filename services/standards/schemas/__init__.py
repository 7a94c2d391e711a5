"""Request and response bodies of standards."""
