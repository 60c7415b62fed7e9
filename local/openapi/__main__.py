"""Writes the document to stdout."""

import sys

from local.openapi.document import document, to_yaml

sys.stdout.write(to_yaml(document()))
