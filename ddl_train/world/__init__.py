"""The invented world: names, language, rules of composition, and graphs of facts.

The truth of this world is known, so whatever is dreamt in it can be judged. Nothing in the cycle
imports it; the command line, the benchmark and the scripts do.
"""
