"""How weights change: the rows of a night, and LoRA through TRL, which is imported here only."""
