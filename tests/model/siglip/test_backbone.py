"""Finding, refusing and adapting models; every fault ends in one sentence that names the file."""

import json
import pickle
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_siglip import make_model, picture, put_in_cache, tiny_config

from index.errors import GzError, ModelError, UsageError
from index.types import EmbeddingSpace
from model.hub import download
from model.siglip.backbone import PRESETS, source_of
from model.siglip.encoder import SiglipEncoder, load_encoder, model_status

REPO = "google/siglip2-tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    make_model(tmp_path / "model")
    return tmp_path / "model"


def encoder_of(folder: Path, **options: Any) -> SiglipEncoder:
    return load_encoder(str(folder), device="cpu", offline=True, **options)


def frames(encoder: SiglipEncoder) -> np.ndarray:
    return encoder.encode_pictures([encoder.preprocess(picture(60, 90, seed)) for seed in (1, 2)])


# --- what --model may say -----------------------------------------------------------------


def test_presets_folders_and_hub_ids(folder: Path) -> None:
    assert source_of("so400m").name == "google/siglip2-so400m-patch14-384"
    assert source_of("base").name == PRESETS["base"]
    assert source_of("base16").name == "google/siglip2-base-patch16-256"
    assert source_of("large").name == "google/siglip2-large-patch16-256"
    assert source_of("demo").folder is not None
    assert source_of(str(folder)).folder == folder
    assert source_of("google/siglip-base-patch16-224").revision == "main"
    assert source_of("org/name@v1.0").revision == "v1.0"


@pytest.mark.parametrize("spec", ["so400", "a/b/c", "", "../x@y z", "org/na me", "-x/y", "a/.."])
def test_nonsense_is_refused(spec: str) -> None:
    with pytest.raises((UsageError, ModelError)):
        load_encoder(spec or " ", device="cpu", offline=True)


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(ModelError, match="/no/such/folder"):
        load_encoder("/no/such/folder", device="cpu")


# --- the embedding space ------------------------------------------------------------------


def test_space_of_a_folder_follows_its_content_not_its_place(folder: Path) -> None:
    before = encoder_of(folder).space
    moved = folder.with_name("elsewhere")
    folder.rename(moved)
    assert encoder_of(moved).space == before
    assert before.logit_scale == pytest.approx(np.exp(4.7), rel=1e-6)
    assert before.logit_bias == pytest.approx(-16.5)

    make_model(moved, seed=5)
    assert encoder_of(moved).space != before


def test_space_tells_preprocessing_apart(folder: Path) -> None:
    before = encoder_of(folder).space
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"resample": 2', '"resample": 3'))
    after = encoder_of(folder).space
    assert after.revision == before.revision
    assert after.id != before.id


def test_large_weights_are_digested_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.siglip import identity

    monkeypatch.setattr(identity, "_WORTH_REMEMBERING_BYTES", 1)
    before = encoder_of(folder).space.revision
    monkeypatch.setattr(identity, "digest_file", None)
    assert encoder_of(folder).space.revision == before


LATER = "f" * 40


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def space_of(spec: str, known: EmbeddingSpace | None = None) -> EmbeddingSpace:
    return load_encoder(spec, device="cpu", offline=True, known=known).space


def test_a_commit_that_changes_no_vector_is_the_same_model(hub_cache: Path) -> None:
    put_in_cache(hub_cache, REPO, COMMIT)
    before = space_of(REPO)
    later = put_in_cache(hub_cache, REPO, LATER)
    (later / "README.md").write_text("more words")
    config = json.loads((later / "config.json").read_text())
    (later / "config.json").unlink()
    (later / "config.json").write_text(json.dumps(config | {"transformers_version": "9.9"}))

    after = space_of(REPO)

    assert (before.commit, after.commit) == (COMMIT, LATER)
    assert after == before
    assert after.id == before.id
    put_in_cache(hub_cache, REPO, "e" * 40, seed=5)
    assert space_of(REPO) != before


def test_what_decides_the_vectors_of_a_snapshot_tells_it_apart(hub_cache: Path) -> None:
    snapshot = put_in_cache(hub_cache, REPO, COMMIT)
    before = space_of(REPO)
    for name, old, new in (
        ("tokenizer.json", '"▁"', '"_"'),
        ("tokenizer_config.json", '"add_eos_token": true', '"add_eos_token": false'),
        ("config.json", '"num_attention_heads": 4', '"num_attention_heads": 2'),
    ):
        path, link = snapshot / name, (snapshot / name).readlink()
        content = path.read_text()
        assert old in content
        path.unlink()
        path.write_text(content.replace(old, new))
        assert space_of(REPO) != before, name
        path.unlink()
        path.symlink_to(link)
    assert space_of(REPO) == before


def test_weights_in_the_cache_are_told_by_their_blobs_name(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.siglip import identity

    snapshot = put_in_cache(hub_cache, REPO, COMMIT)
    with monkeypatch.context() as patch:
        patch.setattr(identity, "sha256_file", None)
        linked = space_of(REPO)
    for path in list(snapshot.iterdir()):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert space_of(REPO) == linked, "a cache that was copied without its links"


def test_a_library_reopens_the_commit_that_it_recorded(hub_cache: Path) -> None:
    put_in_cache(hub_cache, REPO, COMMIT)
    recorded = space_of(REPO)
    put_in_cache(hub_cache, REPO, LATER, seed=5)
    assert space_of(REPO) != recorded
    assert space_of(REPO, recorded) == recorded
    assert space_of(f"{REPO}@{LATER}", recorded) != recorded, "the person named another one"


def test_a_library_from_before_the_digest_keeps_its_model(hub_cache: Path) -> None:
    put_in_cache(hub_cache, REPO, COMMIT)
    old = replace(space_of(REPO), revision=COMMIT, commit="")
    put_in_cache(hub_cache, REPO, LATER)
    assert space_of(REPO, old) == old
    assert space_of(REPO, old).id == old.id
    assert space_of(REPO, replace(old, preprocessing="another")) != old


def test_scale_and_bias_are_read_from_half_precision_shards(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    whole = encoder_of(folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    listing = {}
    for number, part in enumerate((names[::2], names[1::2])):
        shard = f"model-{number + 1:05}-of-00002.safetensors"
        save_file({name: state[name].to(torch.bfloat16) for name in part}, folder / shard)
        listing |= dict.fromkeys(part, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listing}))

    halved = encoder_of(folder)
    assert halved.space.logit_bias == pytest.approx(-16.5, rel=1e-2)
    sentence, expected = (each.encode_sentence("a man eats").pooled for each in (halved, whole))
    assert float(sentence @ expected) > 0.999
    assert (frames(halved) * frames(whole)).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "model.bin"])
def test_a_shard_list_cannot_point_outside_its_folder(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    listing = {"weight_map": {"logit_scale": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(listing))
    with pytest.raises(ModelError, match="not a safetensors file of this folder"):
        encoder_of(folder)


# --- what is refused ----------------------------------------------------------------------


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_pickled_weights_are_refused_unread(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Canary(tmp_path / "ran")))
    with pytest.raises(ModelError, match=name) as caught:
        encoder_of(folder)
    assert "safetensors" in caught.value.remedy
    assert not (tmp_path / "ran").exists()


def damage(path: Path, kind: str) -> None:
    data = path.read_bytes()
    header = int.from_bytes(data[:8], "little")
    changed = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "huge header": struct.pack("<Q", 2**62) + data[8:],
        "long header": struct.pack("<Q", 200_000_000) + data[8:],
        "no JSON": data[:8] + b"\xff" * header + data[8 + header :],
        "a pickle": pickle.dumps({"a": 1}),
    }
    path.write_bytes(changed[kind])


@pytest.mark.parametrize(
    "kind", ["empty", "cut", "huge header", "long header", "no JSON", "a pickle"]
)
def test_damaged_weights_are_named(folder: Path, kind: str) -> None:
    damage(folder / "model.safetensors", kind)
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged") as caught:
        _ = encoder_of(folder).space
    assert caught.value.remedy
    assert caught.value.exit_code == 7


def rewrite(folder: Path, **changes: torch.Tensor | None) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    for name, tensor in changes.items():
        state.pop(name, None)
        if tensor is not None:
            state[name] = tensor
    save_file(state, folder / "model.safetensors")


BIAS = "_model.encoder.layers.0.mlp.fc1.bias"


def test_missing_foreign_and_misshapen_weights_are_refused(folder: Path) -> None:
    rewrite(folder, **{f"vision{BIAS}": None, f"text{BIAS}": torch.zeros(3)})
    encoder = encoder_of(folder)
    with pytest.raises(ModelError, match="missing, first vision_model"):
        frames(encoder)
    with pytest.raises(ModelError, match=r"text_model\S+ is \[3\], its config.json says \[48\]"):
        encoder.encode_sentence("a dog")
    rewrite(folder, **{f"vision{BIAS}": torch.zeros(48), "vision_model.extra": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"unknown tensors, first vision_model\.extra"):
        frames(encoder_of(folder))


def test_old_position_numbers_are_no_foreign_weights(folder: Path) -> None:
    rewrite(folder, **{"vision_model.embeddings.position_ids": torch.arange(9)[None]})
    assert frames(encoder_of(folder)).shape == (2, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "clip"}, "not SigLIP"),
        ({"model_type": "siglip2"}, "NaFlex"),
        ({"vision_config": {"vision_use_head": False}}, "vision_use_head"),
        ({"vision_config": {"hidden_act": "relu"}}, "hidden_act"),
        ({"vision_config": {"hidden_size": "wide"}}, "hidden_size"),
        ({"vision_config": {"num_attention_heads": 5}}, "attention heads"),
        ({"vision_config": {"image_size": 64}}, "prepared at 48x48"),
        ({"text_config": {"projection_size": 16}}, "16 channels"),
    ],
)
def test_configurations_that_cannot_work_are_refused(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key, value in change.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        encoder_of(folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer.json"])
def test_broken_and_missing_files_are_named(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        encoder_of(folder).encode_sentence("a dog")
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks {name}"):
        encoder_of(folder)


def test_remote_code_is_never_run(folder: Path, tmp_path: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["auto_map"] = {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}
    path.write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    encoder = encoder_of(folder)
    frames(encoder)
    encoder.encode_sentence("a dog")
    assert not (tmp_path / "ran").exists()


def test_a_naflex_model_is_answered_with_its_sister(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = "google/siglip2-base-patch16-naflex"
    snapshot = put_in_cache(tmp_path / "hub", repo, COMMIT)
    (snapshot / "config.json").write_text('{"model_type": "siglip2"}')
    with pytest.raises(ModelError) as caught:
        load_encoder(repo, device="cpu")
    assert "google/siglip2-base-patch16-256" in caught.value.remedy


def test_a_folder_saved_by_transformers_itself_is_read(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoProcessor, SiglipModel

    saved = tmp_path / "saved"
    SiglipModel.from_pretrained(folder).save_pretrained(saved)
    AutoProcessor.from_pretrained(folder).save_pretrained(saved)
    before, after = encoder_of(folder), encoder_of(saved)
    assert after.space.preprocessing == before.space.preprocessing
    np.testing.assert_allclose(frames(after), frames(before), atol=1e-6)
    sentences = [each.encode_sentence("The man eats") for each in (before, after)]
    np.testing.assert_allclose(sentences[0].tokens, sentences[1].tokens, atol=1e-6)


# --- the hub ------------------------------------------------------------------------------

GUARD = """
import socket
def refuse(*_): raise AssertionError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
"""

USE = """
import numpy
from model.siglip.encoder import load_encoder, model_status
from index.errors import GzError
notes = []
try:
    encoder = load_encoder({spec!r}, device="cpu", note=notes.append)
    print(encoder.space.commit, encoder.encode_sentence("a dog").pooled.shape)
    black = encoder.preprocess(numpy.zeros((9, 9, 3), "u1"))
    print(encoder.encode_pictures([black]).shape)
except GzError as error:
    print(type(error).__name__, error.exit_code, error.message, "|", error.remedy)
print(notes)
"""


def run_with_hub(cache: Path, endpoint: str, script: str) -> str:
    import os

    env = os.environ | {
        "HF_HUB_CACHE": str(cache),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1",
        "no_proxy": "127.0.0.1",
    }
    env.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CLOSED = "http://127.0.0.1:9"


def test_a_cached_model_is_used_without_any_network(tmp_path: Path) -> None:
    put_in_cache(tmp_path / "hub", REPO, COMMIT)
    said = run_with_hub(tmp_path / "hub", CLOSED, GUARD + USE.format(spec=REPO))
    assert said.splitlines() == [f"{COMMIT} (32,)", "(1, 32)", "[]"]
    pinned = run_with_hub(tmp_path / "hub", CLOSED, GUARD + USE.format(spec=f"{REPO}@{COMMIT}"))
    assert pinned == said


def test_an_unreachable_hub_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    said = run_with_hub(tmp_path / "hub", CLOSED, USE.format(spec=f"{REPO}@v2"))
    assert said.startswith(f"ModelError 7 {REPO} is not on this machine")
    assert f"hf download {REPO} --revision v2" in said
    assert "--model FOLDER" in said


def test_a_hub_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(download, "ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr(download, "SILENT_AFTER_S", 0.1)
    never = threading.Event()
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: never.wait())
    notes: list[str] = []
    with pytest.raises(ModelError, match="does not answer"):
        load_encoder(REPO, device="cpu", note=notes.append)
    never.set()
    assert notes == [f"Waiting up to 0 s for the hub to answer about {REPO}"]


class FakeHub(BaseHTTPRequestHandler):
    """As much of the hub's interface as one download needs."""

    repos: dict[str, Path]
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].lstrip("/")
        self.asked.append(path)
        for repo, folder in self.repos.items():
            if path.startswith(f"api/models/{repo}/tree/"):
                return self._tree(folder)
            if path.startswith(f"api/models/{repo}"):
                return self._listing(repo, folder)
            if path.startswith(f"{repo}/resolve/"):
                return self._file(folder / path.split("/", 4)[-1])
        self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _listing(self, repo: str, folder: Path) -> None:
        files = [
            {"rfilename": path.name, "size": path.stat().st_size}
            for path in sorted(folder.iterdir())
        ]
        info = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": files, "tags": []}
        self._answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _tree(self, folder: Path) -> None:
        files = [
            {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": "0" * 40}
            for path in sorted(folder.iterdir())
        ]
        self._answer(200, json.dumps(files).encode(), {"Content-Type": "application/json"})

    def _file(self, path: Path) -> None:
        if not path.is_file():
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        etag = f'"{path.name.replace(".", "")}-{path.stat().st_size}"'
        self._answer(200, path.read_bytes(), {"ETag": etag, "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[str, type[FakeHub]]]:
    handler = type("Hub", (FakeHub,), {"repos": {REPO: folder}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_downloaded_once_and_only_what_is_safe(
    folder: Path, tmp_path: Path, served: tuple[str, type[FakeHub]]
) -> None:
    endpoint, server = served
    (folder / "pytorch_model.bin").write_bytes(b"x")
    (folder / "modeling.py").write_text("1/0")
    (folder / "README.md").write_text("hello")

    said = run_with_hub(tmp_path / "hub", endpoint, USE.format(spec=REPO))

    assert said.startswith(f"{COMMIT} (32,)"), said
    assert f"Downloading {REPO}" in said
    names = {path.name for path in (tmp_path / "hub").rglob("*") if not path.is_dir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {"pytorch_model.bin", "modeling.py", "README.md"} & names
    server.asked.clear()
    again = run_with_hub(tmp_path / "hub", endpoint, GUARD + USE.format(spec=REPO))
    assert again.startswith(f"{COMMIT} (32,)")
    assert server.asked == []


def test_a_repository_of_pickles_is_refused_before_anything_is_fetched(
    folder: Path, tmp_path: Path, served: tuple[str, type[FakeHub]]
) -> None:
    endpoint, server = served
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    said = run_with_hub(tmp_path / "hub", endpoint, USE.format(spec=REPO))
    assert said.startswith(
        f"ModelError 7 {REPO} has no safetensors weights, only pytorch_model.bin"
    )
    assert not [path for path in server.asked if "/resolve/" in path]


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: changed(folder / "config.json", model_type="siglip2"), "a NaFlex model"),
        (lambda folder: changed(folder / "config.json", model_type="clip"), "of type 'clip'"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "lacks tokenizer.json"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "lacks preprocessor_conf"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json is damaged"),
    ],
    ids=["naflex", "clip", "no tokenizer", "no processor", "a broken tokenizer"],
)
def test_a_model_of_no_use_is_refused_before_its_weights_are_fetched(
    folder: Path,
    tmp_path: Path,
    served: tuple[str, type[FakeHub]],
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    endpoint, server = served
    spoil(folder)
    printed = run_with_hub(tmp_path / "hub", endpoint, USE.format(spec=REPO))
    assert printed.startswith("ModelError 7"), printed
    assert said in printed
    assert "Downloading" not in printed
    assert not [path for path in server.asked if path.endswith(".safetensors")]


def test_an_unknown_repository_is_said_to_be_unknown(
    tmp_path: Path, served: tuple[str, type[FakeHub]]
) -> None:
    said = run_with_hub(tmp_path / "hub", served[0], USE.format(spec="google/siglip9"))
    assert said.startswith("ModelError 7 The hub knows no model google/siglip9")


def test_an_incomplete_download_is_not_taken_for_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = put_in_cache(tmp_path / "hub", REPO, COMMIT)
    status = model_status(REPO)
    assert status.present
    assert status.revision == COMMIT
    assert status.size_bytes == (snapshot / "model.safetensors").stat().st_size
    (snapshot / "model.safetensors").unlink()
    status = model_status(REPO)
    assert not status.present
    assert "not on this machine" in status.problem
    with pytest.raises(ModelError, match="switched off"):
        load_encoder(REPO, device="cpu", offline=True)


def test_status_of_a_broken_folder_says_why(folder: Path) -> None:
    assert model_status(str(folder)).present
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json" in model_status(str(folder)).problem


# --- adapters -----------------------------------------------------------------------------


def make_adapter(path: Path, targets: str, **settings: Any) -> Any:
    """Saves a LoRA adapter for the tiny model; returns the whole adapted model, merged."""
    from peft import LoraConfig, get_peft_model

    model = make_model(path.parent / "base of adapter")
    config = LoraConfig(r=4, lora_alpha=8, target_modules=targets, **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    adapted.save_pretrained(path)
    return adapted.merge_and_unload().eval()


VISION = r"vision_model\..*\.(q|v)_proj"
TEXT = r"text_model\..*\.(q_proj|fc1)"


@pytest.mark.parametrize(
    ("targets", "settings"),
    [(VISION, {}), (TEXT, {"use_rslora": True}), (VISION, {"rank_pattern": {"q_proj": 2}})],
)
def test_an_adapter_gives_what_peft_gives(
    folder: Path, tmp_path: Path, targets: str, settings: dict[str, Any]
) -> None:
    merged = make_adapter(tmp_path / "adapter", targets, **settings)
    plain, adapted = encoder_of(folder), encoder_of(folder, adapter=tmp_path / "adapter")
    pixels = [adapted.preprocess(picture(60, 90, seed)) for seed in (1, 2)]
    expected = merged.get_image_features(
        pixel_values=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 127.5 - 1
    ).pooler_output
    expected = torch.nn.functional.normalize(expected, dim=-1).detach().numpy()
    assert (adapted.encode_pictures(pixels) * expected).sum(axis=1).min() > 0.999

    same_frames = np.allclose(frames(plain), frames(adapted), atol=1e-3)
    same_sentence = np.allclose(
        *(each.encode_sentence("a dog").pooled for each in (plain, adapted)), atol=1e-4
    )
    assert (same_frames, same_sentence) == ((False, True) if targets == VISION else (True, False))
    assert plain.space.id != adapted.space.id
    assert adapted.space.adapter


def test_an_adapter_made_by_add_lora_is_read_back(folder: Path, tmp_path: Path) -> None:
    from model.siglip.backbone import add_lora

    trained = add_lora(make_model(tmp_path / "copy").vision_model, blocks=2, r=2)
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    trained.save_pretrained(tmp_path / "adapter")
    plain, adapted = encoder_of(folder), encoder_of(folder, adapter=tmp_path / "adapter")
    assert not np.allclose(frames(plain), frames(adapted), atol=1e-3)
    asked = [each.encode_sentence("a dog").pooled for each in (plain, adapted)]
    np.testing.assert_array_equal(*asked)


def test_lora_on_the_large_model_trains_147456_weights() -> None:
    from transformers import SiglipConfig, SiglipModel

    from model.siglip.backbone import add_lora

    wide = {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16}
    vision = wide | {"num_hidden_layers": 27, "image_size": 384, "patch_size": 14}
    text = {"vocab_size": 256000, "num_hidden_layers": 27} | wide
    with torch.device("meta"):
        model = add_lora(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert sum(p.numel() for p in trained.values()) == 147_456
    assert {name.split(".layers.")[1].split(".")[0] for name in trained} == {"23", "24", "25", "26"}
    assert all("vision_model" in name for name in trained)


def test_pickled_adapters_are_refused_unread(folder: Path, tmp_path: Path) -> None:
    make_adapter(tmp_path / "adapter", VISION)
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    (tmp_path / "adapter" / "adapter_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"adapter_model\.bin"):
        encoder_of(folder, adapter=tmp_path / "adapter")
    assert not (tmp_path / "ran").exists()


def test_adapters_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    make_adapter(adapter, VISION)
    path = adapter / "adapter_config.json"
    good = path.read_text()

    def refused(message: str, **changes: Any) -> None:
        path.write_text(json.dumps(json.loads(good) | changes))
        with pytest.raises(GzError, match=message) as caught:
            encoder_of(folder, adapter=adapter)
        assert caught.value.exit_code == 7
        assert caught.value.remedy

    refused("rank 9", r=9)
    refused("not supported", peft_type="IA3")
    refused("use_dora", use_dora=True)
    path.write_text(good)
    damage(adapter / "adapter_model.safetensors", "cut")
    refused("damaged")
    (adapter / "adapter_model.safetensors").unlink()
    refused("has no adapter_model")
    with pytest.raises(ModelError, match="no adapter folder"):
        encoder_of(folder, adapter=tmp_path / "nothing")


def test_an_adapter_of_another_backbone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    put_in_cache(tmp_path / "hub", REPO, COMMIT)
    make_adapter(tmp_path / "adapter", VISION)
    path = tmp_path / "adapter" / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"base_model_name_or_path": "google/other"}))
    with pytest.raises(ModelError, match=f"trained for google/other, not for {REPO}"):
        load_encoder(REPO, tmp_path / "adapter", "cpu", offline=True)
    path.write_text(json.dumps(config | {"base_model_name_or_path": REPO}))
    assert load_encoder(REPO, tmp_path / "adapter", "cpu", offline=True).space.adapter


def test_shapes_are_those_of_the_real_classes() -> None:
    from transformers import SiglipModel

    from model.siglip.text import TextConfig
    from model.siglip.vision import VisionConfig

    config = tiny_config()
    model = SiglipModel(config)
    vision = VisionConfig(
        **{k: getattr(config.vision_config, k) for k in VisionConfig.__dataclass_fields__}
    )
    text = TextConfig(
        **{k: getattr(config.text_config, k) for k in TextConfig.__dataclass_fields__}
    )
    real = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert text.shapes() | vision.shapes() | {"logit_scale": (1,), "logit_bias": (1,)} == real
