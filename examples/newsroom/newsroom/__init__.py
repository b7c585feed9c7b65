"""The morning of a small news desk, with a language model in most of its chores."""
