"""What a language model is asked to be: generator, critic, student; and the rules around them."""
