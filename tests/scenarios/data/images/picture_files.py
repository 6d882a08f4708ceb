"""Small files in the forms of the published ones."""

from __future__ import annotations

import struct

import numpy as np

CIFAR_10 = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
IMAGENET = [*(f"train_data_batch_{k}" for k in range(1, 11)), "val_data"]


def draw_planes(count, seed=0):
    """Return pictures as red, green and blue planes, (pictures, 3072)."""
    return np.random.default_rng(seed).integers(0, 256, size=(count, 3072)).astype(np.uint8)


def write_cifar(folder, per_file=3, seed=0):
    """Write CIFAR-10 with so many pictures a file, labels 0 to 9 in turn; return labels and planes of all files."""
    folder.mkdir(parents=True, exist_ok=True)
    planes, labels = draw_planes(6 * per_file, seed), (np.arange(6 * per_file) % 10).astype(np.uint8)
    rows = np.column_stack([labels, planes])
    for name, part in zip(CIFAR_10, np.split(rows, 6), strict=True):
        part.tofile(folder / name)
    return labels, planes


def write_cifar_100(folder, seed=0):
    """Write CIFAR-100 with six and four pictures; return both labels and the planes."""
    folder.mkdir(parents=True, exist_ok=True)
    planes = draw_planes(10, seed)
    labels = np.column_stack([np.arange(10) % 20, 99 - np.arange(10)]).astype(np.uint8)
    rows = np.column_stack([labels, planes])
    rows[:6].tofile(folder / "train.bin")
    rows[6:].tofile(folder / "test.bin")
    return labels, planes


def pickle_batch(data, labels):
    """Return a batch of ImageNet as Python 3 pickles it at protocol 3."""
    sides = b"".join(b"M" + struct.pack("<H", side) for side in data.shape)
    numbers = data.tobytes()
    return b"".join(
        [
            b"\x80\x03}q\x00(X\x04\x00\x00\x00dataq\x01",
            b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04C\x01bq\x05\x87q\x06Rq\x07",
            b"(K\x01" + sides + b"\x86q\x08cnumpy\ndtype\nq\x09X\x02\x00\x00\x00u1q\x0aK\x00K\x01\x87q\x0bRq\x0c",
            b"(K\x03X\x01\x00\x00\x00|q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89",
            b"B" + struct.pack("<I", len(numbers)) + numbers + b"q\x0ftq\x10b",
            b"X\x06\x00\x00\x00labelsq\x11]q\x12(" + b"".join(b"M" + struct.pack("<H", k) for k in labels) + b"eu.",
        ]
    )


def write_imagenet(folder, per_file=2, seed=0, npz=False):
    """Write ImageNet with so many pictures a file; return labels, from 1, and planes of all files."""
    folder.mkdir(parents=True, exist_ok=True)
    planes, labels = draw_planes(11 * per_file, seed), 1 + 37 * np.arange(11 * per_file)
    labels[-1] = 1000
    for k, name in enumerate(IMAGENET):
        part = slice(k * per_file, (k + 1) * per_file)
        if npz:
            np.savez(folder / f"{name}.npz", data=planes[part], labels=labels[part], mean=np.zeros(3072))
        else:
            (folder / name).write_bytes(pickle_batch(planes[part], labels[part].tolist()))
    return labels, planes


def to_rows(planes):
    """Return pictures in the order of inputs: by row, column and colour, (pictures, 3072)."""
    return np.stack([picture.reshape(3, 1024).T.reshape(-1) for picture in planes])
