"""A random Llama of a few thousand weights with a byte tokenizer: real files, in a folder, in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.core.manifest import Base, Manifest, Member
from agents.ensemble.manifest_file import write_manifest
from agents.models.checkpoint import checkpoint_sha256

TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def write_tiny_checkpoint(folder: Path, *, seed: int = 0, hidden_size: int = 32) -> Path:
    """Writes a checkpoint and its tokenizer to ``folder``; other seeds give other weights."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<|start|>", special=True), AddedToken("<|end|>", special=True)])
    backend.add_tokens([AddedToken("<tool>", special=False)])
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", chat_template=TEMPLATE).save_pretrained(
        folder
    )
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary) + 3,
        hidden_size=hidden_size,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.3,
        eos_token_id=backend.token_to_id("<|end|>"),
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(eos_token_id=config.eos_token_id)
    model.save_pretrained(folder)
    return folder


def write_tiny_adapter(folder: Path, checkpoint: Path, *, seed: int = 1, **options: Any) -> Path:
    """Writes a PEFT adapter with random weights, so large that leaving it out would show."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **options))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                scale = 1.0 + 0.5 * torch.rand_like(parameter) if "magnitude" in name else None
                parameter.copy_(parameter * scale if scale is not None else 0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def write_tiny_ensemble(folder: Path) -> Path:
    """Writes such a checkpoint, and an ensemble of it alone; returns the ensemble's folder."""
    base = write_tiny_checkpoint(folder / "base")
    member = Member(name="plain", method="cloze", weight=1.0)
    manifest = Manifest(name="tiny", base=Base(model=str(base), sha256=checkpoint_sha256(base)), members=[member])
    return write_manifest(manifest, folder / "ensemble").parent
