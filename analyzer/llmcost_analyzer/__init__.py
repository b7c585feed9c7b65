"""The offline half: reads source code and writes the semantic map."""
