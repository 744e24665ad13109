"""How a model is run: load, generate, score, hidden states, adapters, chat format, embedders."""
