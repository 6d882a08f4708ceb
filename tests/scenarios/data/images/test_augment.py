"""How pictures are shown: as they are, and in training by name and epoch alone."""

import numpy as np
import pytest

from devices.random import Stream
from scenarios.data.images.augment import PictureRows
from scenarios.data.images.records import pack_records
from scenarios.data.images.rows import OneHotRows

from .picture_files import draw_planes, to_rows

COUNT = 60
PLANES = draw_planes(COUNT)
RECORDS = pack_records(np.zeros((COUNT, 2), np.uint8), PLANES)
PICTURES = to_rows(PLANES).reshape(COUNT, 32, 32, 3).astype(float)
MEAN, SPREAD = np.array([120.0, 110.0, 100.0]), np.array([60.0, 50.0, 40.0])
IDS = np.arange(COUNT)


def rows(**options):
    return PictureRows(RECORDS, MEAN, SPREAD, **options)


def back(inputs, side=32):
    """Return the pixels that inputs were made of."""
    return (inputs.reshape(-1, side, side, 3) * SPREAD + MEAN).round(9)


def test_pictures_are_scaled_colour_by_colour():
    expected = ((PICTURES - MEAN) / SPREAD).reshape(COUNT, -1)
    assert np.array_equal(np.asarray(rows()), expected)
    assert rows().shape == (COUNT, 3072)


def test_shrunk_pictures_are_means_over_four_pixels():
    means = (PICTURES[:, ::2, ::2] + PICTURES[:, 1::2, ::2] + PICTURES[:, ::2, 1::2] + PICTURES[:, 1::2, 1::2]) / 4
    assert np.array_equal(np.asarray(rows(shrink=2)), ((means - MEAN) / SPREAD).reshape(COUNT, -1))
    assert rows(shrink=2).shape == (COUNT, 768)
    assert np.asarray(rows(shrink=2)[:0]).shape == (0, 768)


def test_a_slice_is_lazy_and_places_are_arrays():
    part = rows(flip=True)[10:20]
    assert isinstance(part, PictureRows)
    assert np.shares_memory(part.raw, RECORDS)
    assert part.shape == (10, 3072)
    ids = np.array([7, 0, 7, 3])
    assert np.array_equal(part[ids], np.asarray(rows())[10 + ids])
    targets = OneHotRows(np.array([2, 0, 1]), 4)
    assert np.array_equal(targets[np.array([2, 0])], [[0, 1, 0, 0], [0, 0, 1, 0]])
    assert targets[:2].shape == (2, 4)


def test_without_augmentation_training_sees_the_pictures():
    assert np.array_equal(rows().present(IDS, 3, 1), np.asarray(rows()))


def test_half_of_the_pictures_are_mirrored_left_to_right():
    shown = back(rows(flip=True).present(IDS, 0, 0))
    same = (shown == PICTURES).all(axis=(1, 2, 3))
    mirrored = (shown == PICTURES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert np.array_equal(mirrored, Stream(0, "augment/0").uniform_rows(IDS, 3)[:, 0] < 0.5)
    assert 12 < mirrored.sum() < 48  # 1e-6 of all seeds


def test_crops_are_cut_out_of_a_black_frame_and_all_places_occur():
    shown, padded = back(rows(crop=2).present(IDS, 0, 0)), np.pad(PICTURES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found = [
        {(i, j) for i in range(5) for j in range(5) if np.array_equal(wide[i : i + 32, j : j + 32], cut)}
        for wide, cut in zip(padded, shown, strict=True)
    ]
    assert {len(places) for places in found} == {1}
    assert {i for ((i, _),) in found} == {j for ((_, j),) in found} == set(range(5))
    assert len({place for (place,) in found}) > 15


@pytest.mark.parametrize("options", [{"flip": True}, {"crop": 2}, {"flip": True, "crop": 4, "shrink": 2}])
def test_what_happens_to_a_picture_is_a_function_of_its_name_epoch_and_seed(options):
    whole = rows(**options).present(IDS, 2, 5)
    order = np.random.default_rng(1).permutation(COUNT)
    parts = [rows(**options).present(ids, 2, 5) for ids in np.split(order, [1, 8, 8, 41])]
    assert np.array_equal(np.concatenate(parts), whole[order])
    assert not np.array_equal(rows(**options).present(IDS, 3, 5), whole)
    assert not np.array_equal(rows(**options).present(IDS, 2, 6), whole)
    assert np.array_equal(np.asarray(rows(**options)), np.asarray(rows(shrink=options.get("shrink", 1))))
