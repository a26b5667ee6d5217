"""The data folder: what is found, what is broken, what stands in, and that nothing is ever lost or swapped silently."""

import hashlib
import io
import os
import pickle
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from helpers import data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(data, "HOSTS", dict.fromkeys(data.HOSTS, "http://127.0.0.1:9/mnist.npz"))


def cifar_like() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.zeros((50_000, 32, 32, 3), np.uint8)
    x[:, 0, 0, 0] = rng.integers(0, 255, 50_000)
    y = rng.integers(0, 10, 50_000).astype(np.uint8)
    return {"x_train": x, "y_train": y, "x_test": x[:10_000], "y_test": y[:10_000]}


@pytest.fixture
def small(monkeypatch):
    """Stand-in sizes, so that files are written in milliseconds."""
    monkeypatch.setattr(data, "SHAPES", {"mnist": (30, 20, (28, 28)), "cifar10": (30, 20, (32, 32, 3))})
    arrays = cifar_like()
    return {
        "x_train": arrays["x_train"][:30],
        "y_train": arrays["y_train"][:30],
        "x_test": arrays["x_test"][:20],
        "y_test": arrays["y_test"][:20],
    }


@pytest.mark.parametrize(("name", "shape"), [("digits", (28, 28, 1)), ("digits_rgb", (32, 32, 3))])
def test_the_embedded_default_is_real_and_repeatable(name: str, shape: tuple[int, ...]) -> None:
    one, two = data.load(name), data.load(name)
    assert one.image_shape == shape
    assert one.x_train.dtype == np.uint8
    assert one.y_train.dtype == np.int64
    assert np.array_equal(one.x_train, two.x_train)
    assert set(one.y_train) == set(one.y_test) == set(range(10))
    assert one.x_train.max() > 200
    assert "handwritten digits" in one.source


def test_text_is_the_standard_library_with_files_held_out(folder) -> None:
    text = data.load("stdlib_text")
    assert re.fullmatch(r"source code of 94 standard .+, Python 3\.\d+\.\d+ \([0-9a-f]{8}\)", text.source)
    assert not list(folder.iterdir()), "nothing is written"
    assert 2_500_000 < len(text.x_train) < 2_800_000
    assert 0.14 < len(text.x_test) / len(text.x_train) < 0.18
    assert text.x_train.max() < len(data.ALPHABET) == 97
    for x, y in ((text.x_train, text.y_train), (text.x_test, text.y_test)):
        assert np.array_equal(x[1:], y[:-1]), "what is asked for is what comes next"
    trained, held_out = data.to_text(text.x_train), data.to_text(text.x_test)
    assert "class OrderedDict(dict):\n    'Dictionary that remembers insertion order'\n" in trained
    assert "class TopologicalSorter:" in held_out
    assert "class TopologicalSorter:" not in trained


def test_text_and_symbols_are_the_same_thing() -> None:
    kept = "def f(x):\n        return x  # 1\n"
    assert data.to_text(data.to_symbols(kept)) == kept
    assert data.to_symbols("\té\r\x00" + "~").tolist() == [0, 96]
    assert data.to_text(np.arange(97)) == " " * 4 + data.ALPHABET[1:]


def test_windows_are_cut_from_text_at_every_place(recwarn) -> None:
    text = data.load("stdlib_text")
    one, every = text.windows(8, test=100), text.windows(8, test=100, every=True)
    assert one.x_train.shape == (len(text.x_train) - 7, 8)
    for windows in (one, every):
        for k in (0, 1000, -1):
            following = np.append(text.x_train, text.y_train[-1])[8:]
            assert np.array_equal(windows.x_train[k][1:], every.y_train[k][:-1])
            assert every.y_train[k][-1] == one.y_train[k] == following[k]
    assert np.array_equal(one.x_test[[0, -1]], [text.x_test[:8], text.x_test[-8:]])
    assert np.array_equal(one.y_test, every.y_test[:, -1])
    assert len(np.unique(one.x_test, axis=0)) > 90, "spread over the files"
    assert one.source == text.source
    import torch

    torch.from_numpy(one.x_train), torch.from_numpy(every.y_train)
    assert not recwarn.list, "writeable"
    assert one.standardiser()(one.x_test) is one.x_test, "symbols are not scaled"


@pytest.mark.parametrize("sizes", [{"context": 0}, {"context": 8, "test": 0}, {"context": 8, "test": 10**7}])
def test_windows_that_the_text_does_not_have_are_refused(sizes) -> None:
    with pytest.raises(ValueError, match=r"no \d+ test windows of \d+ symbols"):
        data.load("stdlib_text").windows(**sizes)
    with pytest.raises(ValueError, match="cut from text, and this is scikit-learn's"):
        data.load("digits").windows(8)


def test_a_python_without_its_source_files_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(data.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(data.DatasetError, match="0 of 94 source files"):
        data.load("stdlib_text")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_other_pythons_have_nearly_the_same_text(version: str, monkeypatch) -> None:
    found = shutil.which(f"python{version}")
    asked = [found or "python", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    library = subprocess.run(asked, capture_output=True, text=True) if found else None
    if library is None or library.returncode:
        pytest.skip(f"no Python {version} here")
    ours = data.load("stdlib_text")
    monkeypatch.setattr(data.sysconfig, "get_path", lambda name: library.stdout.strip())
    theirs = data.load("stdlib_text")
    assert "code of 94 standard" in theirs.source, "no module is missing"
    shares = [np.bincount(text.x_train, minlength=97) / len(text.x_train) for text in (ours, theirs)]
    assert np.abs(shares[0] - shares[1]).max() < 0.002
    assert len(theirs.x_test) == pytest.approx(len(ours.x_test), rel=0.02)


def test_what_is_missing_is_replaced_with_a_label_within_seconds(folder, offline, capsys) -> None:
    before = time.monotonic()
    dataset = data.load("mnist")
    assert time.monotonic() - before < 20
    assert dataset.name == "digits"
    said = capsys.readouterr().out
    assert "MNIST could not be fetched from 127.0.0.1:9" in said
    assert "not comparable with MNIST" in said
    assert not list(folder.iterdir()), "a failed download leaves nothing behind"


def test_a_host_that_never_answers_costs_seconds(folder, monkeypatch, capsys) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(data, "HOSTS", {"mnist": f"http://127.0.0.1:{silent.getsockname()[1]}/mnist.npz"})
        before = time.monotonic()
        assert data.load("mnist").name == "digits"
    assert time.monotonic() - before < 15
    assert "timed out" in capsys.readouterr().out


def test_a_written_file_is_read_back_with_its_source(folder, small, capsys) -> None:
    path = data._write("cifar10", small, "CIFAR-10")
    dataset = data.load("cifar10", download=False)
    assert dataset.source == "CIFAR-10"
    assert np.array_equal(dataset.x_train, small["x_train"])
    assert [p.name for p in folder.iterdir()] == [path.name]
    assert capsys.readouterr().out == ""


def test_a_file_of_unknown_origin_is_labelled(folder, small) -> None:
    sources = set()
    for other in (small, {**small, "x_test": 255 - small["x_test"]}):
        np.savez(folder / "cifar10.npz", **other)
        sources.add(data.load("cifar10", download=False).source)
    assert len(sources) == 2, "two copies are not taken for one"
    assert all(re.fullmatch(r"CIFAR-10 \(copy of unknown origin, [0-9a-f]{8}\)", source) for source in sources)


def damage_truncate(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_flip(path) -> None:
    content = bytearray(path.read_bytes())
    for position in range(50, len(content), 50):
        content[position] ^= 0xFF
    path.write_bytes(bytes(content))


def damage_empty(path) -> None:
    path.write_bytes(b"")


def damage_text(path) -> None:
    path.write_text("<html>404</html>", "utf-8")


def damage_swap(path) -> None:
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored}
    arrays["y_train"] = arrays["y_train"][::-1]
    np.savez(path, **arrays)


def damage_labels(path) -> None:
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in data.ARRAYS}
    np.savez(path, **{**arrays, "y_test": arrays["y_test"] + 100})


def damage_shape(path) -> None:
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in data.ARRAYS}
    np.savez(path, **{**arrays, "x_train": arrays["x_train"][:5]})


def damage_pickle(path) -> None:
    np.savez(path, x_train=np.array([{"a": 1}], dtype=object))


DAMAGE = [
    damage_truncate,
    damage_flip,
    damage_empty,
    damage_text,
    damage_swap,
    damage_labels,
    damage_shape,
    damage_pickle,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_file_is_named_and_set_aside(folder, small, offline, capsys, damage) -> None:
    path = data._write("cifar10", small, "CIFAR-10")
    damage(path)
    broken = path.read_bytes()
    assert data.load("cifar10").name == "digits_rgb"
    said = capsys.readouterr().out
    assert "cifar10.npz" in said
    assert "set aside as cifar10.npz.broken-1" in said
    assert (folder / "cifar10.npz.broken-1").read_bytes() == broken
    path.write_bytes(b"again")
    data.load("cifar10")
    assert (folder / "cifar10.npz.broken-1").read_bytes() == broken, "what was set aside is never overwritten"
    assert (folder / "cifar10.npz.broken-2").read_bytes() == b"again"


def test_mnist_must_be_mnist(folder, small, offline, capsys) -> None:
    grey = {key: value[:, :28, :28, 0] if key.startswith("x") else value for key, value in small.items()}
    np.savez(folder / "mnist.npz", **grey)
    assert data.load("mnist").name == "digits"
    assert "has been changed" in capsys.readouterr().out


def test_an_interrupted_write_leaves_the_old_file(folder, small, monkeypatch) -> None:
    path = data._write("cifar10", small, "CIFAR-10")
    old, parts, remove = path.read_bytes(), [], Path.unlink

    def stop(part, **_arrays):
        parts.append(part)
        raise KeyboardInterrupt

    def remove_as_on_windows(self: Path, **options) -> None:
        assert parts[0].closed, "Windows removes no open file"
        remove(self, **options)

    monkeypatch.setattr(np, "savez_compressed", stop)
    monkeypatch.setattr(Path, "unlink", remove_as_on_windows)
    with pytest.raises(KeyboardInterrupt):
        data._write("cifar10", small, "CIFAR-10, again")
    assert path.read_bytes() == old
    assert [p.name for p in folder.iterdir()] == [path.name]


def test_an_unusable_folder_is_a_sentence(folder, small, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COURSE_DATA", str(folder / "file"))
    (folder / "file").write_text("not a folder", "utf-8")
    with pytest.raises(data.DatasetError, match="could not be written"):
        data._write("cifar10", small, "CIFAR-10")
    assert data.load("cifar10", download=False).name == "digits_rgb"


REAL = [Path(os.environ.get("COURSE_DATA", "nowhere")) / f"{name}.npz" for name in ("mnist", "cifar10")]


@pytest.mark.skipif(not all(path.exists() for path in REAL), reason="needs COURSE_DATA with the real data sets")
def test_the_real_data_sets_are_recognised() -> None:
    mnist = data.load("mnist", download=False)
    assert (mnist.source, mnist.x_train.shape, mnist.y_train[:5].tolist()) == (
        "MNIST",
        (60000, 28, 28, 1),
        [5, 0, 4, 1, 9],
    )
    assert data.load("cifar10", download=False).source.startswith("CIFAR-10")


def test_subsets_say_their_size() -> None:
    digits = data.load("digits")
    part = digits.subset(100, 50)
    assert (len(part.x_train), len(part.y_test)) == (100, 50)
    assert "100 training and 50 test images" in part.source
    assert digits.subset(10**6) is digits
    with pytest.raises(ValueError, match="at least one example"):
        digits.subset(0)


def test_scaling_standardises_each_channel() -> None:
    colour = data.load("digits_rgb")
    mean, std = colour.scaling()
    x = (colour.x_train.astype(np.float32) - mean) / std
    assert mean.shape == (3,)
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-3)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'imagenet'.*mnist"):
        data.load("imagenet")


# -------------------------------------------------------------------------------------- downloads
class Python2(pickle._Pickler):  # the one in Python: the one in C cannot be taught
    """Bytes and text are one type, as in the pickles of CIFAR-10, which Python 2 wrote in 2009."""

    def save_text(self, content: bytes | str) -> None:
        content = content.encode() if isinstance(content, str) else content
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_text, str: save_text}


def python2_pickle(content: object) -> bytes:
    file = io.BytesIO()
    Python2(file, protocol=2).dump(content)
    return file.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def archive(batches: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def cifar_archive(arrays: dict[str, np.ndarray]) -> bytes:
    """As the official archive: five batches and one; an image is a row, all its red before its green and blue."""
    x, y = ([*np.split(arrays[f"{key}_train"], 5), arrays[f"{key}_test"]] for key in "xy")
    names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    rows = [images.transpose(0, 3, 1, 2).reshape(len(images), -1) for images in x]
    return archive(
        {
            name: python2_pickle({"data": images, "labels": labels.tolist()})
            for name, images, labels in zip(names, rows, y, strict=True)
        }
    )


def mnist_file(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{key: value[:, :28, :28, 1] if key.startswith("x") else value for key, value in arrays.items()})
    return file.getvalue()


class Host(BaseHTTPRequestHandler):
    """Sends ``content``, or part of it; then it hangs up, or waits for as long as it is told."""

    content, sent, wait = b"", 1.0, 0.0
    over = threading.Event()

    def do_HEAD(self) -> None:
        self.send_response(200 if self.content else 404)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content[: int(self.sent * len(self.content))])
        self.wfile.flush()
        self.over.wait(self.wait)

    def log_message(self, *_arguments) -> None:
        """Say nothing."""


@pytest.fixture
def host(monkeypatch):
    """Publish ``content`` as both data sets: host(content, checksum=None, **how)."""
    servers = []

    def publish(content: bytes, checksum: str | None = None, **how) -> None:
        handler = type("Published", (Host,), {"content": content, "over": threading.Event(), **how})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(data, "HOSTS", dict.fromkeys(data.HOSTS, f"http://127.0.0.1:{server.server_port}/file"))
        found = hashlib.sha256(content).hexdigest()
        monkeypatch.setattr(data, "SHA256", dict.fromkeys(data.HOSTS, checksum or found))

    yield publish
    for server in servers:
        server.RequestHandlerClass.over.set()
        server.shutdown()
        server.server_close()


def varied(small: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        key: rng.integers(0, 256, value.shape).astype(np.uint8) if value.ndim > 1 else value
        for key, value in small.items()
    }


def test_cifar_arrives_as_it_was_and_is_kept(folder, small, host) -> None:
    arrays = varied(small)
    host(cifar_archive(arrays))
    for download in (True, False):
        dataset = data.load("cifar10", download=download)
        assert dataset.source == "CIFAR-10"
        for key in data.ARRAYS:
            assert np.array_equal(getattr(dataset, key), arrays[key]), key
    assert [path.name for path in folder.iterdir()] == ["cifar10.npz"]


def test_mnist_arrives_as_it_was_and_is_kept(folder, small, host, monkeypatch) -> None:
    arrays = varied(small)
    grey = {key: value[..., 1][:, :28, :28] if value.ndim > 1 else value for key, value in arrays.items()}
    monkeypatch.setitem(data.KNOWN, "mnist", {data._fingerprint(grey): "MNIST"})
    host(mnist_file(arrays))
    for download in (True, False):
        dataset = data.load("mnist", download=download)
        assert dataset.source == "MNIST"
        assert np.array_equal(dataset.x_train[..., 0], grey["x_train"])
        assert np.array_equal(dataset.y_test, grey["y_test"])


def test_what_has_another_checksum_is_neither_opened_nor_kept(folder, small, host, capsys, tmp_path_factory) -> None:
    trap = tmp_path_factory.mktemp("trap") / "sprung"

    class Bomb:
        def __reduce__(self):
            return trap.write_text, ("",)

    bombs = archive({name: pickle.dumps(Bomb()) for name in ("data_batch_1", "test_batch")})
    host(bombs, checksum=data.SHA256["cifar10"])
    assert data.load("cifar10").name == "digits_rgb"
    assert "sent is not CIFAR-10: its checksum differs" in capsys.readouterr().out
    assert not trap.exists()
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"sent": 0.5}, "its checksum differs|IncompleteRead"),
        ({"sent": 0.5, "wait": 60.0}, "could not be fetched from .* [(].*timed out"),
        ({"content": b""}, "could not be fetched from .* [(]Not Found"),
    ],
    ids=["hangs up half way", "stalls half way", "has no such file"],
)
def test_a_download_that_breaks_off_is_a_sentence_and_leaves_nothing(
    folder, small, host, monkeypatch, how, says
) -> None:
    monkeypatch.setattr(data, "STALL_SECONDS", 0.2)
    host(**{"content": cifar_archive(small), **how})
    with pytest.raises(data.DatasetError, match=says):
        data.fetch("cifar10")
    assert not list(folder.iterdir())


def test_downloads_at_the_same_time_do_not_disturb_each_other(folder, small, host) -> None:
    host(cifar_archive(small))
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(data.fetch, ["cifar10"] * 4))
    assert set(paths) == set(folder.iterdir())
    assert data.load("cifar10", download=False).source == "CIFAR-10"


# ---------------------------------------------------------------------------------- command line
def test_check_and_fetch_say_what_is_wrong_and_fail(folder, offline, capsys) -> None:
    (folder / "mnist.npz").write_bytes(b"broken")
    assert data.main(["check"]) == 2
    said = capsys.readouterr().out
    assert "mnist: mnist.npz cannot be read" in said
    assert "cifar10: not in" in said
    assert (folder / "mnist.npz").exists(), "looking changes nothing"
    assert data.main(["fetch"]) == 2
    assert "set aside as mnist.npz.broken-1" in capsys.readouterr().out


def test_pack_copies_what_is_sound(folder, small, capsys, tmp_path_factory) -> None:
    target = tmp_path_factory.mktemp("stick") / "data"
    assert data.main(["pack", str(target)]) == 1
    assert "nothing to pack" in capsys.readouterr().out
    path = data._write("cifar10", small, "CIFAR-10")
    (folder / "mnist.npz").write_bytes(b"broken")
    assert data.main(["pack", str(target)]) == 0
    assert [p.name for p in target.iterdir()] == ["cifar10.npz"]
    assert (target / "cifar10.npz").read_bytes() == path.read_bytes()


def test_a_validation_set_is_held_out_of_training_and_hides_the_test_set() -> None:
    digits = data.load("digits").subset(100, 50)
    held = digits.validation(30)
    assert len(held.x_train) == 70
    assert np.array_equal(np.concatenate([held.x_train, held.x_test]), digits.x_train)
    assert np.array_equal(np.concatenate([held.y_train, held.y_test]), digits.y_train)
    assert held.source.endswith("30 training images held out")
    with pytest.raises(ValueError, match="hold out 1 to 99 training images, got 100"):
        digits.validation(100)
