"""From a GGUF file to an ordinary safetensors checkpoint."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.support.missing_package import missing_package


def convert_gguf(gguf: Path, folder: Path) -> dict[str, str]:
    """Write the model and tokenizer of ``gguf`` into ``folder`` as a bfloat16 safetensors checkpoint.

    Returns the versions of the libraries that did it. Needs about four bytes of memory a parameter, more for a moment.
    Raises ``MissingExtraError`` when one of them is not installed.
    """
    try:
        import gguf as _gguf  # noqa: F401 - transformers imports it later, with a worse message
        import torch
        import transformers
    except ImportError as error:
        raise missing_package(error.name) from error

    with _quiet(transformers.utils.logging):
        # Without dequantize=True transformers keeps the weights packed and refuses to save them.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=transformers.GgufConfig(dequantize=True),
        )
        model.save_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        # safetensors creates its files for the owner alone; a service often runs as somebody else.
        file.chmod(0o644)
    return {name: version(name) for name in ("gguf", "torch", "transformers")}


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """No bars, log lines or warnings of transformers inside the block; its settings are put back afterwards."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # The GGUF reader draws a bar of its own that no setting of transformers turns off, hence the redirection.
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
