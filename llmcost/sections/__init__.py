"""Which section of the program spends: semantic map, call site, context and labels."""

from llmcost.sections.attribution import Sections
from llmcost.sections.context import context, label, section
from llmcost.sections.map_file import locate
from llmcost.sections.semantic_map import SemanticMap, load

__all__ = ["Sections", "SemanticMap", "context", "label", "load", "locate", "section"]
