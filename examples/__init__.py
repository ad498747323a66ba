"""The example pictures and the procedural scenes they were rendered from."""
