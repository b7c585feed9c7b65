"""Code that runs inside a program which ``llmcost run`` starts, before the program itself."""
