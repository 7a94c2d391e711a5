"""The roster: OneRoster 1.2 CSV read and checked, and what an import changes of what is known."""
