"""Images from files: downloads from a server of our own, folders written here. No network is used."""

import gzip
import hashlib
import io
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data
from course_lib.data import files
from course_lib.data.files import DataError

RANDOM = np.random.default_rng(0)


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content`; breaks off after `server.limit` bytes; understands Range unless told not to."""

    def do_GET(self):
        server, name = self.server, self.path.strip("/")
        server.asked.append((name, self.headers.get("Range")))
        if name not in server.content:
            self.send_error(404)
            return
        body, start = server.content[name], 0
        if server.ranges and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][: server.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.asked, server.limit, server.ranges = {}, [], None, True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_port}/{{}}"
        yield server
        server.shutdown()
        thread.join()


def idx(values, axes=None):
    head = bytes((0, 0, 8, axes or values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.tobytes())


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def offer(server, monkeypatch, tmp_path):
    """offer(name, contents): a set of files on the server, known to the library; returns the cache's folder for it."""

    def offer(name, contents, mirrors=None):
        server.content |= contents
        md5 = {file: hashlib.md5(body).hexdigest() for file, body in contents.items()}
        monkeypatch.setitem(files.SOURCES, name, {"mirrors": mirrors or [server.url], "md5": md5})
        return tmp_path / "cache" / name

    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return offer


def mnist(count=7, side=28):
    x, y = pixels(count, side, side), RANDOM.integers(0, 10, count, dtype=np.uint8)
    names = [*files.IDX["train"], *files.IDX["test"]]
    return x, y, dict(zip(names, [idx(x), idx(y), idx(x[:2]), idx(y[:2])], strict=True))


def rest(folder):
    return sorted(p.name for p in folder.iterdir())


# downloads


def test_mnist_is_downloaded_once_and_read(offer, server):
    x, y, contents = mnist()
    folder = offer("mnist", contents)
    found = files.images("mnist")
    assert isinstance(found, data.digits.Images)
    assert torch.equal(((found.x[:, 0] + 1) * 127.5).round().byte().cpu(), torch.from_numpy(x))
    assert found.y.tolist() == y.tolist() and found.y.dtype == torch.long
    assert next(found.batches(4)).shape == (4, 1, 28, 28)
    assert files.images("mnist", split="test").x.shape == (2, 1, 28, 28)
    assert len(server.asked) == 4
    server.content.clear()  # offline from here on
    assert torch.equal(files.images("mnist").x, found.x)
    assert len(server.asked) == 4 and rest(folder) == sorted(contents)


def test_a_file_put_there_by_hand_is_taken(offer, server):
    _, y, contents = mnist()
    folder = offer("mnist", contents)
    folder.mkdir(parents=True)
    for name, body in contents.items():
        (folder / name).write_bytes(body)
    assert files.images("mnist").y.tolist() == y.tolist()
    assert server.asked == []


def test_other_sizes_are_interpolated(offer):
    offer("mnist", mnist()[2])
    small, large = files.images("mnist", 14).x, files.images("mnist", 32).x
    original = files.images("mnist").x
    assert small.shape[-1] == 14 and large.shape[-1] == 32
    plain = torch.nn.functional.interpolate(original, size=(32, 32), mode="bilinear")
    assert torch.allclose(large, plain, atol=1e-5)  # as the digits are
    assert small.abs().max() <= 1 and torch.allclose(small.mean(), original.mean(), atol=0.02)


def test_a_body_cut_short_leaves_no_file_and_is_resumed(offer, server):
    x, _, contents = mnist(40)
    folder = offer("mnist", contents)
    first = files.IDX["train"][0]
    server.limit = 20_000
    with pytest.raises(DataError, match=r"127\.0\.0\.1:\d+: stopped after 16384 bytes.*goes on where it stopped"):
        files.images("mnist")
    assert rest(folder) == [f"{first}.part"]
    server.limit = None
    assert len(files.images("mnist").x) == len(x)
    assert server.asked[1] == (first, "bytes=16384-")
    assert rest(folder) == sorted(files.IDX["train"])


def test_a_server_without_ranges_begins_anew(offer, server):
    _, y, contents = mnist(40)
    offer("mnist", contents)
    server.limit = 20_000
    with pytest.raises(DataError):
        files.images("mnist")
    server.limit, server.ranges = None, False
    assert files.images("mnist").y.tolist() == y.tolist()


def test_a_part_that_is_too_long_does_not_block_for_ever(offer):
    _, y, contents = mnist()
    folder = offer("mnist", contents)
    folder.mkdir(parents=True)
    (folder / f"{files.IDX['train'][0]}.part").write_bytes(bytes(10**5))
    with pytest.raises(DataError, match="answered 416"):
        files.images("mnist")
    assert files.images("mnist").y.tolist() == y.tolist()


def test_a_wrong_checksum_leaves_nothing(offer, server):
    folder = offer("mnist", mnist()[2])
    server.content[files.IDX["train"][0]] = b"<html>Please log in to the network</html>"
    with pytest.raises(DataError, match="sent a file with another checksum"):
        files.images("mnist")
    assert rest(folder) == []


def test_a_damaged_file_is_fetched_again(offer):
    _, y, contents = mnist()
    folder = offer("mnist", contents)
    files.images("mnist")
    (folder / files.IDX["train"][1]).write_bytes(b"half")
    assert files.images("mnist").y.tolist() == y.tolist()


def test_mirrors_are_tried_in_order(offer, server):
    _, y, contents = mnist()
    offer("mnist", contents, ["http://127.0.0.1:9/{}", server.url.replace("{}", "away/{}"), server.url])
    assert files.images("mnist").y.tolist() == y.tolist()
    assert [name for name, _ in server.asked[:2]] == [f"away/{files.IDX['train'][0]}", files.IDX["train"][0]]


def test_a_full_or_forbidden_disk_is_named(offer, tmp_path):
    offer("mnist", mnist()[2])
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"(?i)not a directory|file exists"):
        files.images("mnist")


def test_offline_is_one_sentence(offer):
    folder = offer("mnist", mnist()[2], ["http://127.0.0.1:9/{}"])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz of mnist.*127\.0\.0\.1:9: cannot be reached") as caught:
        files.images("mnist")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / files.IDX["train"][0]).write_bytes(b"half")
    with pytest.raises(DataError, match="the file there is damaged"):
        files.images("mnist")


@pytest.mark.parametrize(
    "body",
    [
        idx(pixels(7, 28, 28), axes=1),
        idx(pixels(7, 28, 28))[:-40],
        gzip.compress(b"\0\0\10\3" + struct.pack(">3I", 8, 28, 28) + bytes(7 * 784)),
        gzip.compress(b"\0\0"),
        b"no gzip",
    ],
    ids=["magic", "truncated", "length", "stub", "not gzip"],
)
def test_what_is_no_idx_file(offer, body):
    offer("mnist", mnist()[2] | {files.IDX["train"][0]: body})
    with pytest.raises(DataError, match="no whole IDX file with 3 axes"):
        files.images("mnist")


def test_images_of_the_wrong_size_or_number(offer):
    offer("mnist", mnist(side=27)[2])
    with pytest.raises(DataError, match="should hold images of 28 x 28"):
        files.images("mnist")
    contents = mnist()[2] | {files.IDX["train"][1]: idx(pixels(6))}
    offer("fashion_mnist", contents)
    with pytest.raises(DataError, match="one per label"):
        files.images("fashion_mnist")


def test_medmnist_grey_and_colour(offer):
    colour = pixels(5, 28, 28, 3)
    arrays = {f"{s}_{k}": v for s in ("train", "val", "test") for k, v in (("images", colour), ("labels", pixels(5, 1)))}
    offer("bloodmnist", {"bloodmnist.npz": npz(**arrays)})
    kept = files.images("bloodmnist", split="val", grey=False)
    assert kept.x.shape == (5, 3, 28, 28) and kept.y.shape == (5,)
    assert torch.equal(((kept.x + 1) * 127.5).round().byte().cpu(), torch.from_numpy(colour).permute(0, 3, 1, 2))
    grey = files.images("bloodmnist").x
    assert torch.allclose(grey, 0.299 * kept.x[:, :1] + 0.587 * kept.x[:, 1:2] + 0.114 * kept.x[:, 2:], atol=1e-5)
    offer("chestmnist", {"chestmnist.npz": npz(train_images=colour[..., 0], train_labels=pixels(5, 14))})
    assert files.images("chestmnist").y.shape == (5, 14)


@pytest.mark.parametrize("body", [npz(other=pixels(3)), b"no zip", npz(train_images=np.array([None]))])
def test_what_is_no_medmnist_file(offer, body):
    offer("bloodmnist", {"bloodmnist.npz": body})
    with pytest.raises(DataError, match="no MedMNIST file"):
        files.images("bloodmnist")


@pytest.mark.parametrize("name", ["mnist", "bloodmnist"])
def test_unknown_names_and_splits(name, tmp_path):
    with pytest.raises(DataError, match=r"no folder here, and none of digits, mnist, .*pneumoniamnist"):
        files.images("minst")
    for source in (name, tmp_path):
        with pytest.raises(DataError, match=r"The splits of .* are train"):
            files.images(source, split="valid")


def test_digits_by_the_same_argument():
    assert torch.equal(files.images("digits", 16, "test").x, data.digits.load(16, "test").x)


def test_every_source_is_complete():
    for name, source in files.SOURCES.items():
        assert all(len(md5) == 32 and int(md5, 16) for md5 in source["md5"].values()), name
        assert set(source["md5"]) in ({f"{name}.npz"}, {*files.IDX["train"], *files.IDX["test"]})
        assert all(mirror.startswith("http") and "{}" in mirror for mirror in source["mirrors"])
        assert source["licence"] and source["origin"]
    assert len(files.SOURCES) == 14


# folders


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def flat(level, *shape):
    return np.full(shape, level, np.uint8)


def test_a_folder_in_natural_order_with_mixed_sizes_and_modes(tmp_path):
    save(tmp_path / "slice10.png", flat(250, 40, 60))
    save(tmp_path / "slice2.png", flat(100, 16, 16, 3))
    save(tmp_path / "Slice1.bmp", flat(0, 300, 200))
    deep = flat(0, 20, 20).astype(np.uint16)
    deep[:, 10:] = 4000
    save(tmp_path / "slice30.png", deep)
    (tmp_path / "README.txt").write_text("not listed")
    (tmp_path / "._slice1.png").write_text("nor this")
    found = files.images(tmp_path, 16, "all")
    assert found.x.shape == (4, 1, 16, 16)
    levels = ((found.x.mean((1, 2, 3)) + 1) * 127.5).tolist()
    assert levels == pytest.approx([0, 100, 250, 127.5], abs=1)
    assert found.x[3].min() == -1 and found.x[3].max() == 1  # 16 bits fill the range
    assert files.images(str(tmp_path), 16, "all", grey=False).x.shape == (4, 3, 16, 16)


def test_the_middle_square_is_kept(tmp_path):
    wide = flat(0, 10, 30)
    wide[:, 10:20] = 255
    save(tmp_path / "wide.png", wide)
    assert files.images(tmp_path, 10, "all").x.min() == 1


def test_subfolders_are_labels(tmp_path):
    for i in range(10):
        save(tmp_path / ("sick" if i % 2 else "healthy") / f"{i}.png", flat(i, 8, 8))
    everything, train, test = (files.images(tmp_path, 8, split) for split in ("all", "train", "test"))
    assert everything.y.tolist() == [0] * 5 + [1] * 5
    assert len(train.x) == 8 and test.y.tolist() == [0, 1]
    assert sorted(torch.cat([train.x, test.x]).mean((1, 2, 3)).tolist()) == sorted(everything.x.mean((1, 2, 3)).tolist())
    (tmp_path / "healthy" / "8.png").unlink()
    assert files.images(tmp_path, 8, "test").y.tolist() == [1]  # the number of the sick, as in the training set


def test_a_folder_with_splits_of_its_own(tmp_path):
    save(tmp_path / "train" / "a" / "1.png", flat(1, 8, 8))
    save(tmp_path / "test" / "a" / "1.png", flat(200, 8, 8))
    assert files.images(tmp_path, 8).x.mean() < files.images(tmp_path, 8, "test").x.mean()
    assert len(files.images(tmp_path, 8).x) == 1


def test_what_is_no_image_and_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no images for 'all' in .*\.png"):
        files.images(tmp_path, 8, "all")
    save(tmp_path / "good.png", flat(1, 64, 64))
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:70])
    with pytest.raises(DataError, match=r"cut\.png cannot be read as an image"):
        files.images(tmp_path, 8, "all")
    (tmp_path / "cut.png").write_text("words")
    with pytest.raises(DataError, match=r"cut\.png cannot be read as an image"):
        files.images(tmp_path, 8, "all")


def test_two_folders(tmp_path):
    for side, count in (("A", 3), ("B", 2)):
        for i in range(count):
            save(tmp_path / f"train{side}" / f"{i}.jpg", flat(50 if side == "A" else 200, 20, 20, 3))
    a, b = files.two_folders(tmp_path, 16)
    assert a.shape == (3, 1, 16, 16) and b.shape == (2, 1, 16, 16)
    assert a.mean() < b.mean()
    assert files.two_folders(tmp_path, 16, grey=False)[0].shape == (3, 3, 16, 16)
    with pytest.raises(DataError, match="should hold the folders testA and testB"):
        files.two_folders(tmp_path, split="test")
    (tmp_path / "testA").mkdir()
    with pytest.raises(DataError, match="testB"):
        files.two_folders(tmp_path, split="test")
    (tmp_path / "testB").mkdir()
    with pytest.raises(DataError, match="no images"):
        files.two_folders(tmp_path, split="test")
