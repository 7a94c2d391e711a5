"""Everything that changes what standards knows."""
