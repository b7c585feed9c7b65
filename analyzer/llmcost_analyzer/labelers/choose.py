"""From evidence to a label: each row of the rules gives points by where it matches; the most points win."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from llmcost_analyzer.entries import WRAPPER_LABEL
from llmcost_analyzer.labelers.evidence import Evidence
from llmcost_analyzer.labelers.rules import PLAIN_WORDS, RULES, Rule


@dataclass(frozen=True, slots=True)
class Choice:
    """A label, how sure it is (0 to 1), and why, in one line."""

    label: str
    confidence: float
    reason: str


@dataclass(slots=True)
class _Score:
    points: float = 0.0
    reasons: list[tuple[float, str]] = field(default_factory=list)
    firm: bool = False
    """Whether anything but the names of what is passed speaks for it."""

    def add(self, points: float, reason: str, *, firm: bool = True) -> None:
        self.points += points
        self.firm = self.firm or firm
        self.reasons.append((points, reason))


LATER: Final = "?"
"""Stands for the labels of callees that are farther from a model than the function itself."""
_GENERIC: Final = re.compile(
    r"^(|call|forward|run|main|invoke|ainvoke|generate|process|execute|arun|aforward|handle|init|step|act|"
    r"predict|request|query|send|get response|get|create|make|do|start|fetch|response|call api|completion|complete|"
    r"chat|chat completion|generate response|agenerate|stream|app|index|wrapper|inner|node|fn|func|"
    r"on click|submit|post|"
    r"handler|lambda handler|basic request|generate text|get completion|call llm|ask)$"
)
"""Names that say nothing of the task."""
_NAME_PLACES: Final = (
    ("function", 4.0),
    ("owner", 2.2),
    ("made", 2.4),
    ("handed", 1.6),
    ("module", 1.0),
    ("package", 0.4),
    ("callees", 1.0),
    ("params", 0.4),
)
_GENERIC_FACTORS: Final = {"owner": 1.5, "module": 2.2, "function": 0.4, "package": 1.5}
"""Where the function's own name says nothing, what is around it says more."""
_GUESS: Final = 0.2
"""A rule's label below this confidence says less than the function's own name."""
_GUESSES: Final = {"chat": 0.35}
"""The same for single labels: the history of a chat is passed along to much that is no chat."""
_NAMED: Final = 0.2
"""Confidence of a label that is the project's own name for the function."""
_MOST_WORDS: Final = 4
"""Words of a name that make a label; more would fill a report's column."""
_VERB: Final = 1.35
"""The first word of a function's name is its verb,"""
_NOUN: Final = 1.2
"""the last one what it is about."""
_PASSED: Final = frozenset({"handed", "params"})
_CALLED: Final = {"handed": "argument", "made": "type"}
_PROSE_PLACES: Final = (("docstring", 2.4), ("prompts", 2.0), ("loose", 0.9))

_BY_OPERATION: Final[Mapping[str, tuple[tuple[str, float], ...]]] = {
    "embeddings": (("embedding", 6.0), ("semantic_search", 1.0)),
    "search": (("semantic_search", 5.0),),
    "rerank": (("reranking", 8.0),),
    "image_generation": (("image_generation", 8.0),),
    "video_generation": (("image_generation", 8.0),),
    "transcription": (("transcription", 9.0),),
    "speech": (("speech_synthesis", 9.0),),
    "moderation": (("moderation", 8.0),),
    "ocr": (("image_understanding", 6.0), ("extraction", 3.0)),
    "agent": (("tool_use", 1.5), ("agent_orchestration", 1.0)),
    "memory": (("memory", 4.0),),
}
_AGENT: Final = re.compile(r"\bagent\b")
_AGENT_PLACES: Final = (("function", 2.8), ("owner", 2.0), ("module", 0.6), ("handed", 0.8), ("callees", 0.5))
_TOOLS: Final = ("passes tools", "handles tool calls")
_TEAM_LIBRARIES: Final = frozenset({"crewai", "autogen", "camel-ai"})
_PROVIDER: Final = re.compile(
    r"\b(clients?|models?|llms?|lm|providers?|adapter|backend|api|wrapper|engine|service|open ?ai|anthropic|claude|"
    r"gemini|ollama|groq|mistral|azure|bedrock|cohere|gpt|huggingface|together|deepseek|google|litellm|completions?|base|"
    r"handler)\b"
)
_VENDOR: Final = re.compile(
    r"\b(open ?ai|anthropic|claude|gemini|google|vertex|ollama|groq|mistral|azure|bedrock|cohere|gpt|chatgpt|"
    r"huggingface|hf|together|deepseek|litellm|openrouter|qwen|dashscope|zhipu\w*|glm|moonshot|grok|xai|fireworks|vllm)\b"
)
_PLAIN_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content"})
_RETRIEVES: Final = re.compile(r"\b(retriev\w*|vector ?store|similarity search|query engine|search results?)\b")
_LOOKS_UP: Final = r"search|retriev\w*|find|similar\w*|lookup|match|nearest|recall"
_QUERIES: Final = re.compile(r"^query(?! (embed|vector|encod))")
"""A function that asks a store by what it embeds."""
_SIDE_TASKS: Final = frozenset(
    {"moderation", "title_generation", "speech_synthesis", "transcription", "classification"}
)
"""What is done beside other work: a check before it, a title or a voice for it."""
_OWN_PLACES: Final = re.compile(r"^(function|owner|module|docstring|prompt|operation)\b")
"""Reasons that speak of a function itself, not of what it calls or hands on."""
_BY_VECTORS: Final = frozenset(
    {
        *("embedding", "semantic_search", "deduplication", "reranking", "memory", "rag_query", "classification"),
        *("evaluation", "routing"),
    }
)
"""What a function can do that only embeds."""
_MEDIA: Final = frozenset({"image_generation", "speech_synthesis", "transcription", "embedding"})
_DOCUMENTS: Final = re.compile(r"\b(contexts?|docs|documents|chunks|passages|sources|search results|retrieved)\b")
_QUESTION: Final = re.compile(r"\b(question|query|user input|user query|prompt)\b")
_IMAGES: Final = re.compile(r"image_url|inline_data|data:image|input_image|image/(png|jpe?g)|from_bytes|base64")


def choose(evidence: Evidence, callees: Mapping[str, float]) -> Choice:
    """The label of a function.

    Args:
        evidence: what was read about it.
        callees: labels of the functions through which it reaches a model, with their weight; 0 for wrappers and for
            those that are labelled later.
    """
    asks = WRAPPER_LABEL in callees or bool(evidence.operations & _PLAIN_OPERATIONS)
    all_seen = LATER not in callees
    callees = {label: weight for label, weight in callees.items() if label not in (WRAPPER_LABEL, LATER)}
    scores: dict[str, _Score] = defaultdict(_Score)
    for rule in RULES:
        _names(rule, evidence, scores)
        _prose(rule, evidence, scores)
    _operations(evidence, scores)
    _signals(evidence, scores)
    for label, weight in callees.items():
        scores[label].add(weight, f"calls {label}")
    _retrieval(evidence, scores, callees)
    if asks:
        _answers(scores)
    elif all_seen and callees.keys() == {"embedding"}:
        _only_embeds(scores)
    if evidence.operations and evidence.operations <= _PLAIN_OPERATIONS and not callees:
        _single_request(evidence, scores)
    if asks or len(callees) > 1:
        _beside(scores)
    _wrapper(evidence, scores, callees)
    return _best(scores, evidence, hands_on=all_seen and not callees and not evidence.operations and not evidence.texts)


def _only_embeds(scores: dict[str, _Score]) -> None:
    """Whatever it is that is embedded, SQL or prompts, it is not written here."""
    for label, score in scores.items():
        if label not in _BY_VECTORS:
            score.points *= 0.4


def _single_request(evidence: Evidence, scores: dict[str, _Score]) -> None:
    """One request plans for a team, but runs none; an agent without tools uses none."""
    team, tools = scores["agent_orchestration"], scores["tool_use"]
    if team.points and not evidence.libraries & _TEAM_LIBRARIES:
        scores["agent_planning"].add(0.7 * team.points, "plans for a team")
        team.points *= 0.5
    if not any(reason in _TOOLS for _, reason in tools.reasons):
        tools.points -= sum(points for points, reason in tools.reasons if reason.endswith("says 'agent'"))


def _beside(scores: dict[str, _Score]) -> None:
    """A task that only what a function calls and hands on speaks for is done beside its own."""
    for label in _SIDE_TASKS & scores.keys():
        reasons = [reason for _, reason in scores[label].reasons]
        if f"calls {label}" in reasons and not any(map(_OWN_PLACES.match, reasons)):
            scores[label].points *= 0.4


def _names(rule: Rule, evidence: Evidence, scores: dict[str, _Score]) -> None:
    generic = bool(_GENERIC.match(evidence.function)) or _named_plainly(evidence)
    for place, weight in _NAME_PLACES:
        found = None if place in rule.not_in else rule.in_names(getattr(evidence, place))
        if found:
            factor = _GENERIC_FACTORS.get(place, 1.0) if generic else 1.0
            longer = 1.0 + 0.15 * found.count(" ")
            if place == "function":
                longer *= _VERB if evidence.function.startswith(found) else 1.0
                longer *= _NOUN if evidence.function.endswith(found) else 1.0
            reason = f"{_CALLED.get(place, place)} says '{found}'"
            scores[rule.label].add(weight * factor * longer * rule.weight, reason, firm=place not in _PASSED)


def _prose(rule: Rule, evidence: Evidence, scores: dict[str, _Score]) -> None:
    for place, weight in _PROSE_PLACES:
        text = getattr(evidence, place)
        if not text:
            continue
        head = rule.in_prose(text[:400])
        rest = rule.in_prose(text[400:]) if len(text) > 400 else []
        if head:
            points = weight * (1.0 + 0.25 * min(len(head) - 1, 3))
            scores[rule.label].add(points * rule.weight, f"{place.removesuffix('s')} says '{head[0]}'")
        if rest:
            scores[rule.label].add(
                weight * 0.3 * min(len(rest), 3) * rule.weight, f"{place.removesuffix('s')} says '{rest[0]}'"
            )


def _operations(evidence: Evidence, scores: dict[str, _Score]) -> None:
    asks = bool(evidence.operations & _PLAIN_OPERATIONS)
    for operation in evidence.operations:
        share = 0.3 if asks and operation == "embeddings" else 1.0
        for label, points in _BY_OPERATION.get(operation, ()):
            scores[label].add(share * points, f"operation {operation}")
    if evidence.operations == {"embeddings"}:
        for label in list(scores):
            if label not in ("embedding", "semantic_search", "deduplication", "reranking", "memory", "rag_query"):
                scores[label].points *= 0.25
        if re.search(rf"\b(query|{_LOOKS_UP})\b", evidence.function):
            scores["semantic_search"].add(4.0, "embeds a query")


def _signals(evidence: Evidence, scores: dict[str, _Score]) -> None:
    forwarded = _named_plainly(evidence) and "tools" in evidence.params.split()
    if evidence.keywords & {"tools", "functions", "tool_choice", "function_call", "mcp_servers"}:
        scores["tool_use"].add(0.5 if forwarded else 2.0, _TOOLS[0])
    if evidence.reads & {"tool_calls", "function_call", "function_calls", "bind_tools"}:
        scores["tool_use"].add(0.5 if forwarded else 2.5, _TOOLS[1])
    for place, points in _AGENT_PLACES:
        if _AGENT.search(getattr(evidence, place)):
            scores["tool_use"].add(points, f"{_CALLED.get(place, place)} says 'agent'", firm=place not in _PASSED)
    if evidence.libraries & _TEAM_LIBRARIES:
        scores["agent_orchestration"].add(3.0, "runs a team of agents")
    if evidence.reads & {"chat_input", "chat_message"}:
        scores["chat"].add(2.5, "a chat window")
    if evidence.keywords & {"query_embeddings", "query_vector"}:
        scores["semantic_search"].add(3.0, "queries a vector store")
    if _IMAGES.search(evidence.loose) and "embeddings" not in evidence.operations:
        scores["image_understanding"].add(3.0, "sends an image")
    if _DOCUMENTS.search(evidence.params) and _QUESTION.search(evidence.params):
        scores["rag_synthesis"].add(2.5, "takes a question and documents")
    if re.search(r"\b(history|chat history|messages)\b", evidence.params):
        scores["chat"].add(0.8, "takes a history", firm=False)


def _retrieval(evidence: Evidence, scores: dict[str, _Score], callees: Mapping[str, float]) -> None:
    """Answers from documents: the whole step where the function looks them up too, else only the writing of it."""
    embeds = "embedding" in callees or "embeddings" in evidence.operations
    embeds = embeds and bool(evidence.operations & _PLAIN_OPERATIONS)
    retrieves = (
        embeds or "search" in evidence.operations or "semantic_search" in callees or _RETRIEVES.search(evidence.handed)
    )
    looks_up = 3.5 if re.search(rf"\b({_LOOKS_UP})\b", evidence.function) else 0.0
    looks_up = looks_up or (5.5 if _QUERIES.match(evidence.function) else 0.0)
    if callees.keys() <= {"embedding", "semantic_search"} and looks_up:
        scores["semantic_search"].add(looks_up * ("embedding" in callees), "looks up what it embeds")
    query, synthesis = scores["rag_query"], scores["rag_synthesis"]
    if retrieves:
        if synthesis.points or scores["question_answering"].points:
            query.add(2.5, "looks documents up and answers")
    elif query.points and evidence.operations & _PLAIN_OPERATIONS:
        synthesis.add(0.4 * query.points, "answers, but looks nothing up")
        query.points *= 0.6
    if synthesis.points > scores["question_answering"].points / 2:
        scores["question_answering"].points *= 0.7


def _answers(scores: dict[str, _Score]) -> None:
    """A search that asks a model too writes an answer from what it finds."""
    search = scores["semantic_search"]
    if search.points:
        scores["rag_query"].add(0.7 * search.points, "searches, and asks a model")
        search.points *= 0.5


def _named_plainly(evidence: Evidence) -> bool:
    """The name says no more than "call the model"; so does none."""
    return not set(evidence.function.split()) - PLAIN_WORDS


def _told(score: _Score, place: str) -> bool:
    """Whether the names in a place speak for a label, and not of what all calls have: chats, tools and agents."""
    return any(
        reason.startswith(f"{place} says") and not re.search(r"'[^']*\b(chat|messages?|agents?|tools?)\b", reason)
        for _, reason in score.reasons
    )


def _wrapper(evidence: Evidence, scores: dict[str, _Score], callees: Mapping[str, float]) -> None:
    """A function that forwards any prompt: its name says no more than "call the model"."""
    if callees or not evidence.operations <= _PLAIN_OPERATIONS:
        return
    whole = not evidence.own_prompt or "messages" in evidence.params.split()
    around = f"{evidence.owner} {evidence.module} {evidence.package}" if whole else evidence.owner
    adapts = bool(_PROVIDER.search(around))
    named_after = 3.0 if not adapts and _VENDOR.search(evidence.function) else 0.0
    only_wrappers = not evidence.operations and not evidence.own_prompt
    points = 0.0
    if _named_plainly(evidence) and evidence.function and (adapts or evidence.forwards or only_wrappers):
        points += 6.0 * (adapts or only_wrappers) + 3.0 * evidence.forwards + 3.0 * (not evidence.own_prompt)
        points += named_after if evidence.forwards else 0.0
    elif not evidence.own_prompt and evidence.forwards:
        points += 1.5 + 2.5 * adapts
    if points and _VENDOR.search(evidence.owner):
        scores["chat"].points *= 0.5  # the chat of a vendor's class is the name of its endpoint
    if _GENERIC.match(evidence.function) and any(_told(score, "owner") for score in scores.values()):
        points *= 0.5 if adapts else 0.35
    if any(_told(scores[label], "owner") for label in _MEDIA & scores.keys()):
        points *= 0.3
    if points:
        scores[WRAPPER_LABEL].add(points, "forwards a prompt and has no task of its own")


def _best(scores: dict[str, _Score], evidence: Evidence, *, hands_on: bool) -> Choice:
    """The label with the most points; ``hands_on`` where a function without texts only calls wrappers."""
    ranked = sorted(((score.points, label) for label, score in scores.items() if score.points > 0), reverse=True)
    if hands_on and (not ranked or not scores[ranked[0][1]].firm):
        return Choice(WRAPPER_LABEL, _NAMED, "has no text of its own to send")
    if not ranked:
        return Choice(_feature(evidence), _NAMED, "no rule matches; named after the code")
    points, label = ranked[0]
    second = ranked[1][0] if len(ranked) > 1 else 0.0
    confidence = (1 - math.exp(-points / 5)) * (0.5 + 0.5 * (points - second) / points)
    own = _telling(evidence.function)
    if own and confidence < _GUESSES.get(label, _GUESS) and not scores[label].firm:
        return Choice(own, _NAMED, f"no rule is sure ({label}: {confidence:.2f}); named after the code")
    reasons = sorted(scores[label].reasons, reverse=True)[:3]
    return Choice(label, round(min(0.99, confidence), 2), "; ".join(dict.fromkeys(reason for _, reason in reasons)))


def _feature(evidence: Evidence) -> str:
    """The project's own name for what the function does, without words that say no more than "call the model"."""
    names = (_telling(name) for name in (evidence.function, evidence.owner, evidence.module))
    return next(filter(None, names), WRAPPER_LABEL)


def _telling(name: str) -> str:
    words = [word for word in name.split() if word not in PLAIN_WORDS]
    return "" if _GENERIC.match(name) else "_".join(words[:_MOST_WORDS])
