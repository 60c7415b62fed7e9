"""Makes openapi.yaml from the wire types, the problems and the routes: `python -m local.openapi > openapi.yaml`."""
