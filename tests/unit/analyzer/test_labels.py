"""Labels that small programs get; each stands for a pattern that the rules once got wrong."""

from pathlib import Path

import pytest
from analyzer_projects import found

HEAD = """
from openai import OpenAI
client = OpenAI()
def generate(prompt):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}])
def embed_text(text):
    return client.embeddings.create(model="m", input=text)
"""
FEATURE = """
def stream_teaser(article):
    return generate(f"One teaser line for: {article.title}")
"""
CAPTION = """
def stream_caption(article):
    return generate(f"A caption of eight words for: {article.body}")
"""
MOOD = """
def rate_letter(letter):
    '''How upset a reader is.'''
    return generate(f"Is the writer calm, annoyed or angry? {letter}")
"""
RETRIEVES = """
def answer_question(question, index):
    wanted = embed_text(question)
    sources = sorted(index, key=lambda item: item.distance(wanted))[:3]
    return client.responses.create(instructions="Answer from the sources only.", input=f"{question} {sources}")
"""


@pytest.mark.parametrize(
    ("code", "label"),
    [(FEATURE, "teaser"), (CAPTION, "content_generation"), (MOOD, "sentiment_analysis"), (RETRIEVES, "rag_query")],
)
def test_the_label_says_what_the_function_is_for(tmp_path: Path, code: str, label: str) -> None:
    entries = found(tmp_path, {"app.py": HEAD + code})
    name = code.removeprefix("\ndef ").partition("(")[0]
    assert entries[name].label == label


ADAPTERS = """
import openai
client = openai.OpenAI()
def chat_completion_with_backoff(messages, model_name):
    return client.chat.completions.create(model=model_name, messages=messages)
def send_message_to_model(messages, model_name, tools=None):
    return client.chat.completions.create(model=model_name, messages=messages, tools=tools)
def check_if_safe_prompt(text):
    return send_message_to_model([{"role": "user", "content": text}], "m")
"""


def test_an_adapter_of_a_provider_has_no_task_of_its_own(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app/openai_utils.py": ADAPTERS})
    assert entries["chat_completion_with_backoff"].label == "llm_wrapper"
    assert entries["send_message_to_model"].label == "llm_wrapper"
    assert entries["check_if_safe_prompt"].label == "moderation"


ANSWERS = """
def find_queries(question):
    '''Search queries.'''
    reply = client.responses.create(instructions="Write search queries for a web search engine.", input=question)
    return reply, [1]
def answer_letter(question):
    reply, notes = find_queries(question)
    return client.responses.create(instructions="Answer the question of a reader.", input=f"{question} {reply} {notes}")
"""


def test_the_prompt_behind_an_answer_is_not_the_prompt_of_who_uses_it(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": HEAD + ANSWERS})
    assert entries["answer_letter"].label == "question_answering"


PASSED_ALONG = """
def infer_urls(query, chat_history):
    return client.responses.create(instructions="Which pages tell most of this?", input=[query, chat_history])
"""


def test_who_is_handed_the_history_of_a_chat_is_no_chat(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + PASSED_ALONG})["infer_urls"].label == "urls"


SETTINGS = """
CONFIGS = [
    {"model_name": "m", "prompt": "Classify the email into one of the following categories: {labels}"},
    {"model_name": "n", "prompt": "Translate the following text into German: {text}"},
]
class Mistral:
    def __init__(self, config):
        self.model_name = CONFIGS[config].get("model_name")
        self.model_params = CONFIGS[config]
    def complete_with_retry(self, prompt):
        return client.responses.create(model=self.model_name, input=prompt, **self.model_params)
"""


def test_settings_are_no_prompt(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + SETTINGS})["Mistral.complete_with_retry"].label == "llm_wrapper"


CALLERS_PROMPT = """
def chat_completion_openai(model, messages):
    head = messages[0]["content"]
    return client.responses.create(model=model, instructions=head, input=messages[1:])
def judge(answer):
    messages = [{"role": "system", "content": "Evaluate the answer on a scale from 1 to 10."}, answer]
    return chat_completion_openai("m", messages)
"""


def test_the_prompt_of_a_caller_is_not_its_own(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": HEAD + CALLERS_PROMPT})
    assert entries["chat_completion_openai"].label == "llm_wrapper"
    assert entries["judge"].label == "evaluation"


NESTED = """
class ChatBot:
    def interpret_image(self, image):
        def execute():
            return client.responses.create(model="m", input=image)
        return execute()
"""


def test_a_nested_function_is_told_by_the_function_around_it(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": HEAD + NESTED})
    assert entries["ChatBot.interpret_image.execute"].label == "image_understanding"


REVIEW = """
def get_response_from_llm(msg, system_message, msg_history=None):
    return client.responses.create(model="m", instructions=system_message, input=[msg_history, msg])
def perform_review(paper):
    return get_response_from_llm(paper, "You are a helpful assistant.", msg_history=[])
"""


def test_the_name_of_a_wrapper_says_nothing_of_its_callers(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": HEAD + REVIEW})
    assert entries["get_response_from_llm"].label == "llm_wrapper"
    assert entries["perform_review"].label == "evaluation"


SEARCH = """
def local_search(query, index):
    wanted = embed_text(query)
    return generate(f"{query} {index.near(wanted)}")
"""


def test_a_search_that_asks_a_model_answers(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + SEARCH})["local_search"].label == "rag_query"


STORE = """
from langchain_chroma import Chroma
store = Chroma()
def insert(texts):
    return store.add_texts(texts)
def remember(texts):
    return insert(texts)
"""


def test_what_a_store_embeds_is_told_where_it_is_asked(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": STORE})
    assert entries["insert"].label == "embedding"
    assert "remember" not in entries


OWNER = """
class LLMReranking:
    '''Sorts documents by relevance.'''
    def __init__(self, scorer):
        self.scorer = scorer
    def run(self, prompts):
        return [generate(prompt) for prompt in prompts]
class OpenAIClient:
    def run(self, prompts):
        return [generate(prompt) for prompt in prompts]
"""


def test_a_class_with_a_task_is_no_wrapper(tmp_path: Path) -> None:
    entries = found(tmp_path, {"app.py": HEAD + OWNER})
    assert entries["LLMReranking.run"].label == "reranking"
    assert entries["OpenAIClient.run"].label == "llm_wrapper"


TOOLS = """
class OpenAILLM:
    def _raw_gen(self, messages, tools=None):
        reply = client.responses.create(model="m", input=messages, tools=tools)
        return reply.tool_calls or reply
"""


def test_an_adapter_hands_tools_on(tmp_path: Path) -> None:
    assert found(tmp_path, {"app/llm.py": HEAD + TOOLS})["OpenAILLM._raw_gen"].label == "llm_wrapper"


BESIDE = """
def talk(question, audio):
    '''Answers a user in a conversation.'''
    title = generate(f"Write a short and catchy title for the conversation that starts so: {question}")
    text_to_speech(title, audio)
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
def text_to_speech(text, audio):
    return client.audio.speech.create(model="m", input=text, voice=audio)
"""


def test_a_voice_for_the_answer_is_beside_the_work(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + BESIDE})["talk"].label == "chat"


ONLY_EMBEDS = """
class Store:
    def add_question_sql(self, question, sql):
        self.rows.append((embed_text(question), sql))
    def query(self, question):
        return self.rows.nearest(embed_text(question))
"""


def test_who_only_embeds_writes_no_sql_and_a_query_of_a_store_is_a_search(tmp_path: Path) -> None:
    entries = found(tmp_path, {"store.py": HEAD + ONLY_EMBEDS})
    assert entries["Store.add_question_sql"].label == "embedding"
    assert entries["Store.query"].label == "semantic_search"


LATER = """
class Graph:
    def extract_attributes(self, node):
        embed_text(node.name)
        return self.ask_for(node)
    def ask_for(self, node):
        return self.ask_again(node)
    def ask_again(self, node):
        return generate(f"Extract the attributes of the entity in this text: {node.text}")
"""


def test_what_is_farther_from_a_model_counts_as_not_seen(tmp_path: Path) -> None:
    assert found(tmp_path, {"graph.py": HEAD + LATER})["Graph.extract_attributes"].label == "extraction"


TEAM_OF_ONE = """
def orchestrator(goal, results):
    '''Runs the next step.'''
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": f"{goal} {results}. What is the next sub-task?"}]
    )
"""


def test_one_request_plans_for_a_team_but_runs_none(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + TEAM_OF_ONE})["orchestrator"].label == "agent_planning"


HANDS_ON = """
class Response:
    def _iter_events(self):
        yield from generate(self.content)
"""


def test_who_has_no_text_of_its_own_and_calls_a_wrapper_is_one(tmp_path: Path) -> None:
    assert found(tmp_path, {"models.py": HEAD + HANDS_ON})["Response._iter_events"].label == "llm_wrapper"


PICTURES = """
from google import genai
class ImageGeneratorProvider:
    def __init__(self, key):
        self.client = genai.Client(api_key=key)
    def _generate_with_gemini(self, prompt):
        return self.client.models.generate_content(model="m", contents=prompt)
class OpenAIChat:
    def async_run(self, messages_list):
        return [client.chat.completions.create(model="m", messages=messages) for messages in messages_list]
"""


def test_a_class_of_pictures_draws_and_one_of_a_vendor_forwards(tmp_path: Path) -> None:
    entries = found(tmp_path, {"draw.py": HEAD + PICTURES})
    assert entries["ImageGeneratorProvider._generate_with_gemini"].label == "image_generation"
    assert entries["OpenAIChat.async_run"].label == "llm_wrapper"


def test_the_routes_of_a_web_server_route_no_request_to_a_model(tmp_path: Path) -> None:
    code = "from app import generate\ndef stream(message):\n    yield generate(message.text)\n"
    entries = found(tmp_path, {"app.py": HEAD, "server/routes.py": code})
    assert entries["stream"].label != "routing"


FARTHER = """
class Pipeline:
    def start(self, question):
        self.remember(question)
        return self.answer(question)
    def remember(self, question):
        return embed_text(question)
    def answer(self, question):
        return self.answer_from(question)
    def answer_from(self, question):
        return self.answer_now(question)
    def answer_now(self, question):
        return generate(f"Answer the question of the user in one sentence: {question}")
"""


def test_callees_that_are_farther_from_a_model_count_too(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + FARTHER})["Pipeline.start"].label == "question_answering"


PROMPT_FILE = """
def from_text(text):
    prompt = Path("prompts/sentiment_of_review.txt")
    return generate(prompt.read_text() + text)
"""


def test_the_name_of_a_prompts_file_says_what_it_is_for(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": HEAD + PROMPT_FILE})["from_text"].label == "sentiment_analysis"


AGENT = """
from langchain.agents import create_react_agent
class FundamentalsAnalyst:
    def run(self, ticker, tools):
        agent = create_react_agent(self.llm, tools)
        return agent.invoke({"input": f"Analyse the fundamentals of {ticker} and give your findings"})
"""


def test_an_agent_is_for_what_its_class_is_named_after(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": AGENT})["FundamentalsAnalyst.run"].label == "analysis"


RETRIES = """
class ModelClient:
    def complete(self, prompt, tries):
        try:
            return generate(prompt)
        except TimeoutError:
            return self.retry(prompt, tries)
    def retry(self, prompt, tries):
        embed_text(prompt[:20])
        return self.complete(prompt, tries - 1)
"""


def test_what_forwards_any_prompt_stays_a_wrapper_wherever_it_comes_to(tmp_path: Path) -> None:
    assert found(tmp_path, {"model_client.py": HEAD + RETRIES})["ModelClient.complete"].label == "llm_wrapper"
