"""A packed batch gives the scores, and so the loss and gradients, of its prompts one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.permutation import to_choices
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import METHODS, Method, cloze_scores
from agents.engines.tokenizer import ChatTokenizer
from training.run.objective import choice_example, choice_losses, choice_scores, pack

QUESTIONS = [
    Question("What do bees make?", ("honey", "concrete", "paper money"), key=0),
    Question("What is 2 + 2?", ("3", "4", "22", "none of these", "5"), key=1),
    Question("What do bees make?", ("wax and honey", "wax"), key=1),
]
ORDERS = [(2, 0, 1), (4, 3, 2, 1, 0), (0, 1)]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, PromptRenderer]:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("objective")
    write_tiny_checkpoint(folder / "base")
    write_tiny_adapter(folder / "adapter", folder / "base")
    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(folder / "adapter"), is_trainable=True)
    return model, PromptRenderer(ChatTokenizer(folder / "base"))


def plain_scores(model: Any, renderer: PromptRenderer, question: Question, method: Method, order: Any) -> torch.Tensor:
    """Whole forward passes, one a continuation, put together by hand."""

    def table(tokens: list[int]) -> torch.Tensor:
        return model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)

    if method == "letter":
        prompt = renderer.letter(question, order)
        places = table(prompt.token_ids)[-1, prompt.label_ids]
        return places[[list(order).index(choice) for choice in range(len(order))]]

    def rows(prompt: Any) -> list[torch.Tensor]:
        found = []
        for tokens in prompt.continuations:
            logprobs = table([*prompt.token_ids, *tokens])[len(prompt.token_ids) - 1 : -1]
            found.append(logprobs.gather(1, torch.tensor(tokens)[:, None]).sum())
        return found

    scores = torch.stack(rows(renderer.cloze(question)))
    if method == "cloze_per_byte":
        return scores / torch.tensor([len(choice.encode()) for choice in question.choices])
    if method == "cloze_pmi":
        return scores - torch.stack(rows(renderer.unconditional(question)))
    return scores


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_plain_forward_passes(setting: Any, method: Method) -> None:
    model, renderer = setting
    examples = [choice_example(renderer, q, method, order) for q, order in zip(QUESTIONS, ORDERS, strict=True)]
    with torch.no_grad():
        scores = choice_scores(model, pack(examples))
        for row, question, order in zip(scores, QUESTIONS, ORDERS, strict=True):
            n = len(question.choices)
            expected = plain_scores(model, renderer, question, method, order)
            torch.testing.assert_close(row[:n], expected, atol=2e-5, rtol=1e-5)
            assert torch.isneginf(row[n:]).all()


def test_the_scores_are_those_that_serving_computes_from_log_probs() -> None:
    assert to_choices((2, 0, 1), [0.1, 0.2, 0.3]) == [0.2, 0.3, 0.1]
    assert cloze_scores("cloze_per_byte", ("é", "ab"), [[-2.0], [-1.0, -3.0]]) == [-1.0, -2.0]


@pytest.mark.parametrize("method", ["letter", "cloze", "cloze_pmi"])
def test_gradients_of_a_batch_are_those_of_its_examples(setting: Any, method: Method) -> None:
    model, renderer = setting

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor]:
        model.zero_grad()
        loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    examples = [choice_example(renderer, q, method, order) for q, order in zip(QUESTIONS, ORDERS, strict=True)]
    packed = gradients(choice_losses(model, pack(examples)).sum())
    plain = gradients(
        sum(
            -plain_scores(model, renderer, q, method, order).log_softmax(-1)[q.key]
            for q, order in zip(QUESTIONS, ORDERS, strict=True)
        )
    )
    assert packed.keys() == plain.keys()
    for name, gradient in packed.items():
        torch.testing.assert_close(gradient, plain[name], atol=1e-4, rtol=1e-3)


def test_shared_tokens_stand_once_in_a_batch(setting: Any) -> None:
    _, renderer = setting
    question = Question("Q", ("aaaa", "bbbb", "cccc"), key=0)
    example = choice_example(renderer, question, "cloze", (0, 1, 2))
    prompt = len(renderer.cloze(question).token_ids)
    # A choice is four tokens here, and the last of them is only predicted, never read.
    assert pack([example])["input_ids"].shape[1] == prompt + 3 * 3
    assert pack([example, example])["input_ids"].shape[1] == prompt + 3 * 3


def test_a_question_without_a_key_is_refused(setting: Any) -> None:
    with pytest.raises(ValueError, match="without a key"):
        choice_example(setting[1], Question("Q", ("a", "b")), "cloze", (0, 1))


@pytest.mark.parametrize("method", ["letter", "cloze"])
def test_scores_of_a_model_with_a_window_are_those_of_plain_forward_passes(
    setting: Any, method: Method, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM

    config = setting[0].config
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    sizes = {name: getattr(config, name) for name in (*names, "num_key_value_heads", "initializer_range")}
    torch.manual_seed(0)
    MistralForCausalLM(MistralConfig(**sizes, sliding_window=8)).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="sdpa").eval()
    renderer = setting[1]
    examples = [choice_example(renderer, q, method, order) for q, order in zip(QUESTIONS, ORDERS, strict=True)]
    with torch.no_grad():
        scores = choice_scores(model, pack(examples))
        for row, question, order in zip(scores, QUESTIONS, ORDERS, strict=True):
            expected = plain_scores(model, renderer, question, method, order)
            assert row[: len(order)].tolist() == pytest.approx(expected.tolist(), abs=2e-3)
