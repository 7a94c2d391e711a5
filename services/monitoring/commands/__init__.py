"""Everything that changes monitoring's state, whoever asked."""
