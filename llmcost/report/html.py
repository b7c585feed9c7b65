"""The report as one HTML file."""

from llmcost.report.model import Report


def render(report: Report) -> str:
    """Text."""
    return f"<title>{report.zone}</title>"
