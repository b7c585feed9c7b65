"""A loopback server that answers like OpenAI and Anthropic, from files: no key, no network, no cost."""
