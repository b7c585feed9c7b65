"""llmcost: what your LLM calls cost, by what the code does."""
