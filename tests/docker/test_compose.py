"""compose.yaml and the Dockerfiles: who can reach the service, what goes into it, and that both images are alike.

`make lint` checks their form: the Compose specification's schema, hadolint and shellcheck.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from agents.engines.remote.options import RemoteOptions
from agents.engines.vllm.options import VllmOptions
from agents.support.settings import variable
from service.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILES = [ROOT / "docker" / "Dockerfile.rocm", ROOT / "docker" / "Dockerfile.cpu"]
SECRETS = {"AIAC_API_KEY", "AIAC_REMOTE_API_KEY", "HF_TOKEN"}
SETTINGS = {variable(kind, name) for kind in (Settings, VllmOptions, RemoteOptions) for name in kind.model_fields}

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)


def with_variables(text: str, **variables: str) -> str:
    """``text`` as Compose reads it: ``${NAME:-default}`` and ``${NAME-default}`` replaced."""
    return re.sub(r"\$\{(\w+):?-([^}]*)\}", lambda match: variables.get(match[1]) or match[2], text)


def instructions(dockerfile: Path) -> list[str]:
    """The instructions of a Dockerfile, one a line, without comments."""
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]


def environment_of(dockerfile: Path) -> dict[str, str]:
    pairs = [pair for line in instructions(dockerfile) if line.startswith("ENV ") for pair in line.split()[1:]]
    return dict(pair.split("=", 1) for pair in pairs)


def test_there_is_a_profile_for_each_image_and_the_gpu_is_what_starts_without_one():
    assert {name: service["profiles"] for name, service in SERVICES.items()} == {"rocm": ["rocm"], "cpu": ["cpu"]}
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["COMPOSE_PROFILES=rocm"]


@each_service
def test_only_this_machine_reaches_the_service_unless_it_is_told_otherwise(service):
    (port,) = service["ports"]
    assert with_variables(port) == "127.0.0.1:8000:8000"
    assert with_variables(port, AIAC_HOST="0.0.0.0", AIAC_PORT="80") == "0.0.0.0:80:8000"


@each_service
def test_every_setting_reaches_the_container_but_where_it_listens(service):
    passed = {name for name in service["environment"] if name.startswith(PREFIX)}
    assert passed == SETTINGS - {"AIAC_HOST", "AIAC_PORT"}


@each_service
def test_no_secret_and_no_second_default_of_a_setting_stands_in_the_file(service):
    assert service["environment"].keys() >= SECRETS
    given = {name: value for name, value in service["environment"].items() if value is not None}
    assert given == ({"AIAC_ENGINE": "${AIAC_ENGINE:-vllm}"} if service is SERVICES["rocm"] else {})


@each_service
def test_a_variable_that_the_image_sets_is_not_taken_away_where_the_shell_has_none(service):
    without_value = {name for name, value in service["environment"].items() if value is None}
    assert not without_value & environment_of(ROOT / service["build"]["dockerfile"]).keys()


def test_both_ways_to_start_the_gpu_image_serve_by_vllm():
    assert with_variables(SERVICES["rocm"]["environment"]["AIAC_ENGINE"]) == "vllm"
    assert environment_of(DOCKERFILES[0])["AIAC_ENGINE"] == "vllm"


@each_service
def test_a_service_is_checked_restarted_and_stopped_after_its_requests(service):
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"] == ["CMD", "python3", "/app/docker/healthcheck.py"]
    assert service["init"] is True
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings.model_fields["grace_seconds"].default


@each_service
def test_models_are_kept_in_a_volume_and_ensembles_are_the_checkouts(service):
    assert service["volumes"] == ["models:/cache", "./ensembles:/app/ensembles:ro"]
    assert "models" in COMPOSE["volumes"]


def test_the_gpu_service_has_what_rocm_needs():
    rocm = SERVICES["rocm"]
    assert rocm["devices"] == ["/dev/kfd", "/dev/dri"]
    assert [with_variables(group) for group in rocm["group_add"]] == ["video", "render"]
    assert (rocm["ipc"], rocm["shm_size"]) == ("host", "8g")
    assert rocm["cap_add"] == ["SYS_PTRACE"]
    assert rocm["security_opt"] == ["no-new-privileges:true", "seccomp=unconfined"]


def test_only_the_gpu_service_has_devices_groups_or_calls_that_the_default_refuses():
    cpu = SERVICES["cpu"]
    assert not {"devices", "group_add", "ipc", "privileged", "pid", "network_mode"} & cpu.keys()
    assert (cpu["cap_add"], cpu["security_opt"]) == (["SYS_NICE"], ["no-new-privileges:true"])


@each_service
def test_a_service_gives_up_what_it_does_not_need(service):
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert 0 < service["pids_limit"] <= 32_768
    assert re.fullmatch(r"[1-9]\d*g", with_variables(service["mem_limit"]))
    assert with_variables(service["mem_limit"], MEMORY_LIMIT="3g") == "3g"


@each_service
def test_the_root_is_read_only_and_all_that_is_written_has_a_place(service):
    assert service["read_only"] is True
    written = {place.partition(":")[0] for place in service["tmpfs"]}
    written |= {volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")}
    environment = environment_of(ROOT / service["build"]["dockerfile"])
    assert written == {"/tmp", "/cache", environment["HOME"]}
    kept = {name: value for name, value in environment.items() if "CACHE" in name or "MIOPEN" in name or "XDG" in name}
    assert {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"} <= kept.keys()
    assert all(value == "/cache" or value.startswith("/cache/") for value in kept.values())
    # Docker mounts them noexec otherwise, and what a compiler makes there could not be loaded.
    assert all("exec" in place.partition(":")[2].split(",") for place in service["tmpfs"])


@each_service
def test_the_user_can_write_to_the_home_that_a_tmpfs_stands_on(service):
    """Such a mount is root's, so its mode must let others in. Newer runtimes take Compose's, older ones the image's."""
    dockerfile = ROOT / service["build"]["dockerfile"]
    home = environment_of(dockerfile)["HOME"]
    (options,) = [place.partition(":")[2] for place in service["tmpfs"] if place.startswith(f"{home}:")]
    assert "mode=1777" in options.split(",")
    (user,) = [line for line in instructions(dockerfile) if f"--home-dir {home} " in line]
    assert f"chmod 1777 {home};" in user[user.index("useradd") :]


@each_service
def test_every_build_argument_is_one_of_its_dockerfile_with_the_same_default(service):
    dockerfile = ROOT / service["build"]["dockerfile"]
    known = dict(line.split()[1].split("=", 1) for line in instructions(dockerfile) if line.startswith("ARG "))
    assert {name: with_variables(value) for name, value in service["build"]["args"].items()} == known


def test_the_gpu_image_is_built_on_the_tournaments_unless_another_is_named():
    assert instructions(DOCKERFILES[0])[:2] == ["ARG BASE_IMAGE=edaamd/aiac:latest", "FROM ${BASE_IMAGE}"]
    assert with_variables(SERVICES["rocm"]["build"]["args"]["BASE_IMAGE"]) == "edaamd/aiac:latest"


@each_dockerfile
def test_an_image_installs_by_the_one_script_alone(dockerfile):
    text = "\n".join(instructions(dockerfile))
    assert f"docker/install.sh {dockerfile.suffix[1:]}" in text
    assert "pip install" not in text


@each_dockerfile
def test_an_image_listens_on_all_its_addresses_and_its_variables_are_settings(dockerfile):
    environment = environment_of(dockerfile)
    assert (environment["AIAC_HOST"], environment["AIAC_PORT"]) == ("0.0.0.0", "8000")
    assert {name for name in environment if name.startswith(PREFIX)} <= SETTINGS | {"AIAC_CACHE_DIR"}


@each_dockerfile
def test_no_secret_is_built_into_an_image(dockerfile):
    declared = {re.split(r"[= ]", line)[1] for line in instructions(dockerfile) if line.startswith("ARG ")}
    assert not SECRETS & (declared | environment_of(dockerfile).keys())


@each_dockerfile
def test_an_image_serves_as_a_user_who_is_not_root_unless_built_otherwise(dockerfile):
    lines = instructions(dockerfile)
    assert "ARG APP_UID=1000" in lines
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER ${APP_UID}"


@each_dockerfile
def test_the_files_that_an_image_names_are_executable(dockerfile):
    text = "\n".join(instructions(dockerfile))
    scripts = re.findall(r"docker/\w+\.sh", text)
    assert set(scripts) == {"docker/install.sh", "docker/entrypoint.sh"}
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_both_images_name_the_check_that_compose_names():
    for dockerfile in DOCKERFILES:
        (check,) = [line for line in instructions(dockerfile) if line.startswith("HEALTHCHECK ")]
        assert check.endswith('CMD ["python3", "/app/docker/healthcheck.py"]')


def test_every_package_of_the_project_is_in_the_build_context_and_nothing_else_of_size():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert allowed == packages | {"LICENSE", "README.md", "constraints.txt", "docker", "ensembles", "pyproject.toml"}


def test_the_build_context_is_small():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    files = [ROOT / file for file in tracked if file.split("/")[0] in allowed]
    assert sum(file.stat().st_size for file in files if file.exists()) < 64 << 20
