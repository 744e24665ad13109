"""The rules of the promotion gate, each pure. `promote.py` puts them together."""
