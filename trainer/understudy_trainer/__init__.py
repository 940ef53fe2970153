"""The reference trainer and adapter server of Understudy.

Three commands: ``train`` (the OpenAI fine-tuning API over LoRA jobs), ``serve`` (several LoRA adapters on one base
behind vLLM's dynamic LoRA surface) and ``build-base`` (a tiny base model from scratch).

Nothing at package level imports torch: ``train`` must answer its health check before, and without, loading it.
"""

__version__ = "0.1.0"
