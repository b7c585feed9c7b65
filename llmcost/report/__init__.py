"""What was spent, as data and in four renderings: terminal, HTML, JSON and CSV."""
