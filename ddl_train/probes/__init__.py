"""What is asked of an adapter: probe files, uptake questions, scores, leaks, statistics."""
