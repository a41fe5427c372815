"""A model of our own: it answers as OpenAI, Anthropic, Ollama and Gemini do, in the manner that it is told."""
