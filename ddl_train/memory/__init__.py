"""What is known: concepts, their vectors, the pairs drawn from them, what came of each."""
