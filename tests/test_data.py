"""The data folder: what is found, what is broken, what stands in, and that nothing is ever lost or swapped silently."""

import os
import socket
import time

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


def test_what_is_missing_is_replaced_with_a_label_within_seconds(folder, offline, capsys) -> None:
    before = time.monotonic()
    dataset = data.load("mnist")
    assert time.monotonic() - before < 20
    assert dataset.name == "digits"
    said = capsys.readouterr().out
    assert "cannot be reached" in said
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
    np.savez(folder / "cifar10.npz", **small)
    assert data.load("cifar10", download=False).source == "CIFAR-10 (copy of unknown origin)"


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
    path.write_text("<html>404</html>")


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
    old = path.read_bytes()

    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", stop)
    with pytest.raises(KeyboardInterrupt):
        data._write("cifar10", small, "CIFAR-10, again")
    assert path.read_bytes() == old
    assert [p.name for p in folder.iterdir()] == [path.name]


def test_an_unusable_folder_is_a_sentence(folder, small, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COURSE_DATA", str(folder / "file"))
    (folder / "file").write_text("not a folder")
    with pytest.raises(data.DatasetError, match="could not be written"):
        data._write("cifar10", small, "CIFAR-10")
    assert data.load("cifar10", download=False).name == "digits_rgb"


@pytest.mark.skipif(not os.environ.get("COURSE_DATA"), reason="needs COURSE_DATA with the real data sets")
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
    with pytest.raises(ValueError, match="at least one image"):
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


def test_downloads_are_written_with_their_fingerprint(folder, small, monkeypatch) -> None:
    import keras

    halves = (small["x_train"], small["y_train"][:, None]), (small["x_test"], small["y_test"][:, None])
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: halves)
    monkeypatch.setattr(data, "_contact", lambda url: None)
    assert data.load("cifar10").source == "CIFAR-10"
    assert data.load("cifar10", download=False).source == "CIFAR-10"


def test_a_validation_set_is_held_out_of_training_and_hides_the_test_set() -> None:
    digits = data.load("digits").subset(100, 50)
    held = digits.validation(30)
    assert len(held.x_train) == 70
    assert np.array_equal(np.concatenate([held.x_train, held.x_test]), digits.x_train)
    assert np.array_equal(np.concatenate([held.y_train, held.y_test]), digits.y_train)
    assert held.source.endswith("30 training images held out")
    with pytest.raises(ValueError, match="hold out 1 to 99 training images, got 100"):
        digits.validation(100)
