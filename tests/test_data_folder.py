"""Image folders: layouts, decoding, and folders that mean harm."""

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikedoor.data import ImageFolder
from spikedoor.data import folder as module
from spikedoor.data.decode import decode
from spikedoor.errors import ConfigError, DataError, MissingDataError


def put(path: Path, value: int | tuple[int, int, int] = 0, size: tuple[int, int] = (4, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(value, int) else "RGB", size, value).save(path)
    return path


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def two_level(root: Path) -> None:
    for part, shift in (("train", 0), ("test", 100)):
        for label, name in enumerate(("cat", "ant", "bee")):
            for number in range(3):
                put(root / part / name / f"{number}.png", shift + 10 * label + number)


def flat(root: Path, counts: tuple[int, ...] = (10, 20)) -> None:
    for label, count in enumerate(counts):
        for number in range(count):
            put(root / f"class{label}" / f"{number:02}.png", 100 * label + number)


def test_two_levels_sorted_by_name(tmp_path):
    two_level(tmp_path)
    put(tmp_path / "train/cat/.hidden.png", 99)
    (tmp_path / "README.md").touch()
    dataset = ImageFolder(path=tmp_path, channels=1).load()
    assert dataset.train.classes == ("ant", "bee", "cat")
    assert dataset.train.shape == (1, 4, 4)
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.train.images[:, 0, 0, 0].tolist() == [10, 11, 12, 20, 21, 22, 0, 1, 2]
    assert dataset.test.images[:, 0, 0, 0].tolist() == [110, 111, 112, 120, 121, 122, 100, 101, 102]


def test_checksums_one_a_class_folder(tmp_path):
    two_level(tmp_path)
    checksums = ImageFolder(path=tmp_path).load().checksums
    assert sorted(checksums) == [
        f"{p}/{c}" for p in ("test", "train") for c in ("ant", "bee", "cat")
    ]
    listed = b""
    for number in range(3):
        data = (tmp_path / f"train/bee/{number}.png").read_bytes()
        listed += f"{number}.png".encode() + b"\0" + hashlib.sha256(data).hexdigest().encode()
    assert checksums["train/bee"] == hashlib.sha256(listed).hexdigest()


def test_the_test_set_may_lack_classes_but_not_add_any(tmp_path):
    two_level(tmp_path)
    for number in range(3):
        (tmp_path / f"test/ant/{number}.png").unlink()
    (tmp_path / "test/ant").rmdir()
    assert ImageFolder(path=tmp_path).load().test.labels.tolist() == [1, 1, 1, 2, 2, 2]
    put(tmp_path / "test/dog/0.png")
    with pytest.raises(DataError, match=r"expected the classes of train/, found 'dog'"):
        ImageFolder(path=tmp_path).load()


def test_a_flat_folder_is_split_in_proportion(tmp_path):
    flat(tmp_path)
    first, again, other = (
        ImageFolder(path=tmp_path, channels=1, test_share=0.3, seed=seed).load()
        for seed in (1, 1, 2)
    )
    assert np.bincount(first.test.labels).tolist() == [3, 6]
    assert np.bincount(first.train.labels).tolist() == [7, 14]
    values = [
        part.images[:, 0, 0, 0].tolist()
        for part in (first.test, again.test, other.test, first.train)
    ]
    assert values[0] == values[1] != values[2]
    assert sorted(values[0] + values[3]) == [*range(10), *range(100, 120)]


def test_classes_named_train_or_test_are_classes_in_a_flat_folder(tmp_path):
    for name in ("plane", "train"):
        for number in range(5):
            put(tmp_path / name / f"{number}.png")
    assert ImageFolder(path=tmp_path).load().train.classes == ("plane", "train")


def test_a_flat_folder_too_small_to_split_is_refused(tmp_path):
    put(tmp_path / "only/0.png")
    with pytest.raises(DataError, match=r"enough images to hold out 0\.2 of them, found 1"):
        ImageFolder(path=tmp_path).load()


@pytest.mark.parametrize("suffix", ["png", "bmp", "PNG"])
def test_colour_planes_in_order(tmp_path, suffix):
    for name in ("a", "b"):
        put(tmp_path / "train" / name / f"0.{suffix}", (10, 20, 30), (5, 3))
        put(tmp_path / "test" / name / f"0.{suffix}", (10, 20, 30), (5, 3))
    dataset = ImageFolder(path=tmp_path).load()
    assert dataset.train.shape == (3, 3, 5)
    assert dataset.train.images[0, :, 2, 4].tolist() == [10, 20, 30]


def test_decodes_jpeg_palette_and_transparency():
    red = Image.new("RGB", (16, 16), (200, 30, 40))
    jpeg = decode(encode(red, "JPEG", quality=95), "x.jpg")
    assert np.abs(jpeg[:, 8, 8].astype(int) - [200, 30, 40]).max() <= 3
    palette = encode(red.convert("P", palette=Image.Palette.ADAPTIVE), transparency=b"\x00\x80")
    np.testing.assert_allclose(decode(palette, "x.png")[:, 0, 0], [200, 30, 40], atol=4)
    clear = encode(Image.new("RGBA", (2, 2), (1, 2, 3, 0)))
    assert decode(clear, "x.png")[:, 0, 0].tolist() == [1, 2, 3]
    assert decode(encode(Image.new("1", (2, 2), 1)), "x.png", channels=1).max() == 255


def test_shrinking_averages_areas_and_enlarging_interpolates():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    small = decode(encode(Image.fromarray(pixels)), "x.png", channels=1, size=4)
    blocks = pixels.reshape(4, 2, 4, 2).mean((1, 3))
    assert np.abs(small[0] - blocks).max() <= 0.5
    step = Image.fromarray(np.array([[0, 200], [0, 200]], np.uint8))
    large = decode(encode(step), "x.png", channels=1, size=4)
    # Pixel centres of the new grid lie at -0.25, 0.25, 0.75 and 1.25 of the old one.
    np.testing.assert_array_equal(large[0], [[0, 50, 150, 200]] * 4)


def test_images_of_different_size_need_a_size(tmp_path):
    two_level(tmp_path)
    put(tmp_path / "train/bee/3.png", 0, (6, 5))
    with pytest.raises(DataError, match=r"train/bee/3\.png: expected .*\(4, 4\).*\(5, 6\); size="):
        ImageFolder(path=tmp_path).load()
    assert ImageFolder(path=tmp_path, size=3).load().train.shape == (3, 3, 3)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png_header(8193, 8192), "at most 67108864 pixels, found 8193 x 8192"),
        (png_header(9700, 9700), "at most 67108864 pixels, found 9700 x 9700"),
        (png_header(50_000, 50_000), "at most 67108864 pixels, found"),
        (png_header(4, 4), "a PNG, JPEG or BMP image"),
        (encode(Image.new("L", (9, 9)))[:40], "a PNG, JPEG or BMP image"),
        (encode(Image.new("L", (9, 9), 7), "JPEG")[:-60], "a PNG, JPEG or BMP image"),
        (b"", "a PNG, JPEG or BMP image"),
        (b"GIF89a, more or less", "a PNG, JPEG or BMP image"),
        (encode(Image.new("L", (9, 9)), "GIF"), "a PNG, JPEG or BMP image"),
        (encode(Image.fromarray(np.zeros((2, 2), np.uint16))), "8 bits a channel, found .* I;16"),
    ],
)
def test_what_is_no_such_image_is_refused(data, message):
    with pytest.raises(DataError, match=rf"x/y\.png: expected {message}") as caught:
        decode(data, "x/y.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["file", "class folder", "split", "dangling", "loop"])
def test_links_that_leave_the_folder_are_refused(tmp_path, what):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    two_level(inside)
    two_level(outside)
    link, target = {
        "file": (inside / "train/bee/9.png", outside / "train/bee/0.png"),
        "class folder": (inside / "train/dog", outside / "train/bee"),
        "split": (inside / "test", outside / "test"),
        "dangling": (inside / "train/bee/9.png", inside / "none.png"),
        "loop": (inside / "train/bee/9.png", inside / "train/bee/9.png"),
    }[what]
    if what == "split":
        link.rename(inside / "old")
    link.symlink_to(target)
    with pytest.raises(DataError, match=f"{link}: expected a link that stays in"):
        ImageFolder(path=inside).load()


def test_links_within_the_folder_and_to_it_are_followed(tmp_path):
    inside = tmp_path / "inside"
    two_level(inside)
    (inside / "train/bee/9.png").symlink_to("../ant/0.png")
    (tmp_path / "link").symlink_to(inside)
    dataset = ImageFolder(path=tmp_path / "link", channels=1).load()
    assert dataset.train.images[6, 0, 0, 0] == 10


def test_what_does_not_belong_is_refused(tmp_path):
    two_level(tmp_path)
    stray = tmp_path / "train/bee/notes.txt"
    stray.touch()
    with pytest.raises(DataError, match=r"notes\.txt: expected an image file"):
        ImageFolder(path=tmp_path).load()
    stray.unlink()
    fifo = tmp_path / "train/bee/pipe.png"
    os.mkfifo(fifo)
    with pytest.raises(DataError, match=r"pipe\.png: expected an image file"):
        ImageFolder(path=tmp_path).load()
    fifo.unlink()
    (tmp_path / "train/dog").mkdir()
    with pytest.raises(DataError, match=r"dog: expected images, found an empty folder"):
        ImageFolder(path=tmp_path).load()


def test_limits_on_a_file_and_on_the_whole(tmp_path, monkeypatch):
    two_level(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MAX_FILE", 10)
        with pytest.raises(DataError, match=r"train/ant/0\.png: expected at most 10 bytes"):
            ImageFolder(path=tmp_path).load()
    monkeypatch.setattr(module, "_MAX_SET", 9 * 3 * 16 - 1)
    with pytest.raises(DataError, match="found 432; size="):
        ImageFolder(path=tmp_path).load()


def test_missing_folders_and_wrong_fields(tmp_path):
    with pytest.raises(MissingDataError, match=r"expected a folder at .*nowhere"):
        ImageFolder(path=tmp_path / "nowhere").load()
    with pytest.raises(DataError, match="expected class folders with images, found none"):
        ImageFolder(path=tmp_path).load()
    put(tmp_path / "train/a/0.png")
    with pytest.raises(DataError, match="test: expected class folders"):
        ImageFolder(path=tmp_path).load()
    for fields, message in (
        ({}, "path"),
        ({"path": tmp_path, "channels": 2}, "channels"),
        ({"path": tmp_path, "test_share": 1.0}, "test_share"),
        ({"path": tmp_path, "download": True}, "nothing to fetch"),
        ({"path": tmp_path, "sizee": 8}, "did you mean 'size'"),
    ):
        with pytest.raises(ConfigError, match=f"image-folder: .*{message}"):
            ImageFolder(**fields)
