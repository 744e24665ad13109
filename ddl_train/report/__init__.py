"""What a person looks at: progress, tables, the plan of a run and the story of its end."""
