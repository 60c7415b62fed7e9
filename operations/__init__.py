"""The operator's commands for a deployed stack; `python -m operations --help` lists them."""
