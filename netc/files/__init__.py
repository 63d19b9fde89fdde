"""Files: specs are read from allowed folders, artifacts are written whole or not at all, and the package finds its own data."""
