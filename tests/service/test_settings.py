"""Settings: defaults, the environment, overrides, errors, and the table for the README."""

from __future__ import annotations

import pytest

from agents.core.errors import InputError, codes_of
from agents.support.settings import settings_table
from service.settings import Settings, load_settings


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.ensemble) == ("127.0.0.1", 8000, "starter")
    assert (settings.edition, settings.margin_ms, settings.api_key) == ("oct2025_aiac", 500, None)


def test_an_override_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_PORT", "9000")
    monkeypatch.setenv("AIAC_LOG_LEVEL", "INFO")
    monkeypatch.setenv("AIAC_THREADS", "")
    assert load_settings(port=None).port == 9000
    assert load_settings(port=9001).port == 9001
    assert load_settings().log_level == "info"
    assert load_settings().threads is None


BAD = {
    "PORT": ("x", "a whole number from 0 to 65,535"),
    "THREADS": ("0", "a whole number from 1 to 1,024"),
    "MARGIN_MS": ("1.5", "a whole number from 0 to 60,000"),
    "MAX_BODY_BYTES": ("-1", "a whole number from 1,024 to 1,073,741,824"),
    "LOG_LEVEL": ("loud", "one of critical, error, warning, info, debug"),
    "ENGINE": ("abacus", "one of transformers, vllm, remote"),
    "DTYPE": ("float8", "one of float32, bfloat16"),
    "EDITION": ("jan1970", "one of jul2025_iisc, oct2025_aiac, feb2026_iitd"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_names_the_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, expected = BAD[name]
    monkeypatch.setenv(f"AIAC_{name}", value)
    with pytest.raises(InputError) as caught:
        load_settings()
    assert str(caught.value) == f"AIAC_{name}: found '{value}'; expected {expected}"
    assert codes_of(caught.value).exit_code == 2


def test_a_bad_override_is_found_even_when_the_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIAC_PORT", "9000")
    with pytest.raises(InputError, match="AIAC_PORT: found int 99999; expected a whole number from 0 to 65,535"):
        load_settings(port=99_999)


def test_a_margin_that_leaves_no_time() -> None:
    with pytest.raises(InputError, match="AIAC_MARGIN_MS: found 6000; expected less than the 6000 ms of oct2025_aiac"):
        load_settings(margin_ms=6000)
    assert load_settings(margin_ms=6000, edition="feb2026_iitd").margin_ms == 6000


def test_an_edition_may_go_by_its_other_name() -> None:
    assert load_settings(edition="aaipl-2026-02").edition == "feb2026_iitd"


def test_a_key_is_never_shown() -> None:
    with pytest.raises(InputError) as caught:
        load_settings(api_key="two words")
    assert str(caught.value) == (
        "AIAC_API_KEY: found a key of 9 characters; expected printable ASCII characters without spaces"
    )
    assert "s3cret" not in repr(load_settings(api_key="s3cret"))


def test_the_table_has_a_line_for_every_setting() -> None:
    lines = settings_table(Settings).splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    assert all(line.count("|") == 4 for line in lines)
    for name, field in Settings.model_fields.items():
        assert field.description and field.description.endswith(".")
        assert any(line.startswith(f"| `AIAC_{name.upper()}` |") for line in lines)
