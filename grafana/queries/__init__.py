"""What is asked, one module for each dashboard; each query is a named row."""
