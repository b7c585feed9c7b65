"""A shorter morning of the news desk, for machines without the SDKs: plain httpx."""
