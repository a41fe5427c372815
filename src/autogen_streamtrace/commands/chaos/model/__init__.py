"""A model of our own: it answers in the formats of OpenAI, Anthropic and Ollama, in the manner that it is told."""
