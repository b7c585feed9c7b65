"""Write the table of OpenAI-compatible hosts from litellm's own lists.

Run with the litellm that the price snapshot names: ``python scripts/make_compatible_hosts.py``. Hosts that a
hand-written file names win over the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path
from urllib.parse import urlsplit

import litellm
from litellm import constants

TARGET = Path(__file__).resolve().parents[1] / "llmcost" / "providers" / "data" / "litellm_hosts.toml"


ASK_TO_SIGN_IN = frozenset({"github_copilot", "chatgpt"})
"""Providers whose look-up starts a sign-in."""


def host(url: str) -> str | None:
    """The host name of an address with or without a scheme; None for a number."""
    name = urlsplit(url if "://" in url else f"https://{url}").hostname or ""
    return name if "." in name and not name.replace(".", "").isdigit() else None


def listed() -> Iterator[tuple[str, str]]:
    """Addresses of litellm's list, with the provider that its own look-up gives."""
    for address in constants.openai_compatible_endpoints:
        try:
            _, provider, _, _ = litellm.get_llm_provider("any-model", api_base=address, api_key="none")
        except litellm.exceptions.BadRequestError:
            continue
        yield address, provider


def configured() -> Iterator[tuple[str, str]]:
    """Providers that litellm configures by JSON alone."""
    text = resources.files("litellm").joinpath("llms/openai_like/providers.json").read_text(encoding="utf-8")
    for provider, table in json.loads(text).items():
        yield table["base_url"], provider


def bases() -> Iterator[tuple[str, str]]:
    """Default addresses of litellm's OpenAI-compatible providers."""
    for provider in sorted(set(constants.openai_compatible_providers) - ASK_TO_SIGN_IN):
        try:
            _, name, _, base = litellm.get_llm_provider(f"{provider}/any-model", api_key="none")
        except (litellm.exceptions.BadRequestError, ValueError):
            continue
        if base and name == provider:
            yield base, name


def main() -> None:
    """Write the file."""
    found: dict[str, str] = {}
    for address, provider in (*bases(), *configured(), *listed()):
        name = host(address)
        if name and provider and provider not in ("None", "openai", "custom_openai"):
            found.setdefault(name, provider)
    lines = [
        f"# Written by scripts/make_compatible_hosts.py from litellm {metadata.version('litellm')}. Don't edit.",
        'name = "litellm"',
        "",
        "[compatible]",
        *(f'"{name}" = "{provider}"' for name, provider in sorted(found.items())),
    ]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
