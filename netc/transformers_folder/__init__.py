"""Write folders that transformers loads, and with it vLLM and SGLang: a configuration, a modeling file and weights."""
