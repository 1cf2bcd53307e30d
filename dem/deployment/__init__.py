"""Which contracts stand where, who may call what, and whether all is well."""
