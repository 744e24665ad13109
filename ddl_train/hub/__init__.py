"""What it takes to put an adapter on the Hugging Face Hub: folder, scan, card, client."""
