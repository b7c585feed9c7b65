"""The one door to the model for everything that needs a short answer."""

from __future__ import annotations

from openai import OpenAI


class LLMService:
    """Sends a prompt, gives back text. Retries and the choice of the model live here."""

    def __init__(self, client: OpenAI, model: str = "gpt-5-nano") -> None:
        self.client = client
        self.model = model

    def generate(self, prompt: str) -> str:
        """The model's answer to one prompt."""
        answer = self.client.chat.completions.create(
            model=self.model, messages=[{"role": "user", "content": prompt}], max_completion_tokens=200
        )
        return answer.choices[0].message.content or ""
