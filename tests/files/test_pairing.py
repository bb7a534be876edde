import os
import re
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unet_helpers import pair_files
from unet_helpers.files import natural_key, pair_suffixes, plain_name, without_leading_zeros


@pytest.fixture
def folders(write_folder):
    """Two folders of empty files, for what the names alone decide."""

    def make(images, masks):
        return write_folder("images", dict.fromkeys(images)), write_folder("masks", dict.fromkeys(masks))

    return make


def names(pairs):
    return [(image.name, mask.name) for image, mask in pairs]


def one_problem(pairing, kind):
    assert [problem.kind for problem in pairing.problems] == [kind]
    return pairing.problems[0]


# --- by name ----------------------------------------------------------------------------------


def test_pairs_by_name_when_sort_orders_differ(folders):
    images, masks = folders(["Z_9.png", "Z_10.png"], ["Z_09.png", "Z_10.png"])
    naive = list(zip(sorted(p.name for p in images.iterdir()), sorted(p.name for p in masks.iterdir()), strict=True))
    assert naive == [("Z_10.png", "Z_09.png"), ("Z_9.png", "Z_10.png")]  # what sort and zip would do
    found = names(pair_files(images, masks, check_contents=False).pairs)
    assert found == [("Z_9.png", "Z_09.png"), ("Z_10.png", "Z_10.png")]


def test_one_missing_mask_does_not_shift_the_pairs_behind_it(folders):
    pairing = pair_files(*folders(["a.png", "b.png", "c.png"], ["a.png", "c.png"]), check_contents=False)
    assert names(pairing.pairs) == [("a.png", "a.png"), ("c.png", "c.png")]
    assert [path.name for path in pairing.images_without_mask] == ["b.png"]
    assert not pairing.masks_without_image
    assert not pairing.ok


def test_mask_without_image_is_listed(folders):
    pairing = pair_files(*folders(["a.png"], ["a.png", "b.png"]), check_contents=False)
    assert [path.name for path in pairing.masks_without_image] == ["b.png"]
    assert not pairing.ok


def test_padded_numbers_meet_unpadded_ones_and_the_report_says_so(folders):
    pairing = pair_files(*folders(["P1_Z_7.png", "P2_Z_0.png"], ["P001_Z_0007.png", "P2_Z_0.png"]), False)
    assert names(pairing.pairs) == [("P1_Z_7.png", "P001_Z_0007.png"), ("P2_Z_0.png", "P2_Z_0.png")]
    assert pairing.matched_by_number == 1
    assert "1 of them after reading 007 and 7 as the same number" in str(pairing)


def test_only_pairs_that_stay_are_counted_among_those_of_one_number(folders):
    images, masks = folders(["P1_Z_7.png", "P1_Z_8.png"], ["P01_Z_7.png", "P01_Z_8.png"])
    for path in (images / "P1_Z_7.png", masks / "P01_Z_7.png", masks / "P01_Z_8.png"):
        Image.new("L", (8, 8)).save(path)
    (images / "P1_Z_8.png").write_bytes(b"cut")
    report = str(pair_files(images, masks))
    assert "1 pair matched by name, 1 of them after reading" in report


def test_the_exact_name_wins_over_the_same_number(folders):
    pairing = pair_files(*folders(["a_7.png", "a_07.png"], ["a_7.png"]), check_contents=False)
    assert names(pairing.pairs) == [("a_7.png", "a_7.png")]
    assert [path.name for path in pairing.images_without_mask] == ["a_07.png"]


def test_numbers_that_agree_twice_pair_with_nothing(folders):
    pairing = pair_files(*folders(["a_07.png", "a_007.png"], ["a_7.png"]), check_contents=False)
    assert not pairing.pairs
    assert {path.name for path in one_problem(pairing, "duplicate").paths} == {"a_07.png", "a_007.png", "a_7.png"}


@pytest.mark.parametrize("mask", ["P1_mask.tif", "p1-seg.npy", "P1_segmentation.nii.gz", "P1_gt.png", "P1_label.jpg"])
def test_mask_words_case_and_format_do_not_matter(folders, mask):
    assert names(pair_files(*folders(["P1.png"], [mask]), check_contents=False).pairs) == [("P1.png", mask)]


def test_a_name_twice_in_two_formats_pairs_with_nothing(folders):
    pairing = pair_files(*folders(["a.png", "a.tif", "b.png"], ["a.png", "b.png"]), check_contents=False)
    assert names(pairing.pairs) == [("b.png", "b.png")]
    problem = one_problem(pairing, "duplicate")
    assert [path.name for path in problem.paths] == ["a.png", "a.tif", "a.png"]
    assert "2 images (a.png, a.tif) and 1 mask (a.png)" in problem.message


def test_pairs_come_in_natural_order(folders):
    files = ["s_10.png", "s_9.png", "s_1.png"]
    pairing = pair_files(*folders(files, files), check_contents=False)
    assert [image for image, _ in names(pairing.pairs)] == ["s_1.png", "s_9.png", "s_10.png"]


def test_natural_key_sorts_any_names_in_one_order():
    found = ["a", "10", "1", "a1", "01", "²", "5²", "a01b2", ""]
    assert sorted(found, key=natural_key) == sorted(reversed(found), key=natural_key)


def test_plain_name_keeps_what_is_not_a_mask_word():
    assert plain_name("unmasked_Z_1.PNG") == "unmasked_z_1"
    assert plain_name("mask_1.png") == "mask_1"
    assert without_leading_zeros("0_00_100") == "0_0_100"


# --- what is in the folder --------------------------------------------------------------------


def test_hidden_files_are_no_data(folders):
    pairing = pair_files(*folders(["a.png", ".DS_Store", "._a.png"], ["a.png", "._a.png"]), check_contents=False)
    assert names(pairing.pairs) == [("a.png", "a.png")]
    assert pairing.ok


def test_an_unknown_format_is_reported(folders):
    pairing = pair_files(*folders(["a.png", "notes.txt"], ["a.png"]), check_contents=False)
    assert one_problem(pairing, "format").path.name == "notes.txt"
    assert "notes.txt" in str(pairing)


def test_a_wrong_path_is_named(folders):
    images, _ = folders(["a.png"], [])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        pair_files(images, images.parent / "nowhere")


def test_a_folder_without_images_is_named(folders):
    images, masks = folders(["a.png"], ["readme.txt"])
    with pytest.raises(ValueError, match=r"masks' holds no image"):
        pair_files(images, masks)


@pytest.mark.parametrize("more", [[], ["notes.txt"]])
def test_no_common_name_is_an_error(folders, more):
    with pytest.raises(ValueError, match=r"a\.png.*against.*b\.png"):
        pair_files(*folders(["a.png", *more], ["b.png"]))


# --- what is in the files ---------------------------------------------------------------------


def test_sound_pairs_pass_the_look_into_the_files(write_folder, gray, draw):
    images = write_folder("i", {"a.png": gray(1), "b.png": gray(2)})
    masks = write_folder("m", {"a.png": np.zeros((8, 8), np.uint8), "b.png": np.eye(8, dtype=np.uint8)})
    pairing = pair_files(images, masks)
    assert pairing.ok
    assert str(pairing).splitlines() == [
        "2 pairs matched by name",
        "0 images without a mask",
        "0 masks without an image",
        "0 problems",
    ]


def test_the_same_pixels_under_two_names_count_once(write_folder, gray):
    images = write_folder("i", {"a.png": gray(1), "b.png": gray(1), "c.png": gray(2)})
    masks = write_folder("m", {name: np.eye(8, dtype=np.uint8) for name in ("a.png", "b.png", "c.png")})
    pairing = pair_files(images, masks)
    assert [image for image, _ in names(pairing.pairs)] == ["a.png", "c.png"]
    problem = one_problem(pairing, "copy")
    assert problem.path.name == "b.png"
    assert "a.png" in problem.message


def test_a_mask_of_another_size_is_out(write_folder, gray):
    images = write_folder("i", {"a.png": gray(1), "b.png": gray(2)})
    masks = write_folder("m", {"a.png": np.zeros((8, 6), np.uint8), "b.png": np.zeros((8, 8), np.uint8)})
    pairing = pair_files(images, masks)
    assert names(pairing.pairs) == [("b.png", "b.png")]
    assert one_problem(pairing, "size").message.startswith("mask 'a.png' is 8×6 but its image is 8×8")


@pytest.mark.parametrize("damaged", ["i", "m"])
def test_a_truncated_file_is_out_and_named(write_folder, gray, damaged):
    files = {"a.png": gray(1, 64), "b.png": gray(2, 64)}
    write_folder("i", files), write_folder("m", files)
    path = write_folder(damaged, {}) / "a.png"
    path.write_bytes(path.read_bytes()[:1000])
    pairing = pair_files(path.parents[1] / "i", path.parents[1] / "m")
    assert names(pairing.pairs) == [("b.png", "b.png")]
    problem = one_problem(pairing, "unreadable")
    assert problem.path == path
    assert "a.png" in problem.message
    assert "truncated" in problem.message


def test_0_255_among_class_indices_is_a_problem_but_stays_paired(write_folder, gray):
    images = write_folder("i", {"a.png": gray(1), "b.png": gray(2)})
    masks = write_folder("m", {"a.png": np.eye(8, dtype=np.uint8), "b.png": np.eye(8, dtype=np.uint8) * 255})
    pairing = pair_files(images, masks)
    assert len(pairing.pairs) == 2
    problem = one_problem(pairing, "values")
    assert problem.path == masks / "b.png"
    assert "[0, 255] where others hold [0, 1]" in problem.message


def test_a_folder_in_0_255_throughout_is_fine(write_folder, gray):
    images = write_folder("i", {"a.png": gray(1), "b.png": gray(2)})
    masks = write_folder("m", {"a.png": np.zeros((8, 8), np.uint8), "b.png": np.eye(8, dtype=np.uint8) * 255})
    assert pair_files(images, masks).ok


def test_the_report_names_every_file_that_needs_a_decision(write_folder, gray):
    ok, mask = gray(0), np.eye(8, dtype=np.uint8)
    images = {"alone.png": gray(1), "twice.png": ok, "twice.tif": ok, "size.png": gray(2), "cut.png": b"\x89PNG"}
    images |= {"original.png": gray(3), "zcopy.png": gray(3), "values.png": gray(4), "notes.txt": None}
    masks = dict.fromkeys(("twice.png", "cut.png", "original.png", "zcopy.png", "orphan.png"), mask)
    masks |= {"size.png": np.zeros((4, 4), np.uint8), "values.png": mask * 255}
    report = str(pair_files(write_folder("i", images), write_folder("m", masks)))
    for name in {*images, *masks} - {"original.png"}:
        assert name in report


# --- for any names ----------------------------------------------------------------------------

file_names = st.builds(
    lambda stem, number, pad, word, suffix: f"{stem}_{number:0{pad}d}{word}{suffix}",
    st.sampled_from(["P1", "P01", "q"]),
    st.integers(0, 12),
    st.integers(1, 3),
    st.sampled_from(["", "_mask"]),
    st.sampled_from([".png", ".tif", ".txt"]),
)


def _pair(images, masks, listed=sorted, key=None):
    """Pair folders of empty files whose names the file system lists in the order that ``listed`` gives."""
    iterdir = Path.iterdir
    as_listed = mock.patch.object(Path, "iterdir", lambda self: iter(listed(iterdir(self))))
    with as_listed, tempfile.TemporaryDirectory() as parent:
        folders = [Path(parent, "images"), Path(parent, "masks")]
        for folder, files in zip(folders, (images, masks), strict=True):
            folder.mkdir()
            for name in files:
                (folder / name).touch()
        try:
            pairing = pair_files(*folders, check_contents=False, key=key)
        except ValueError:
            return None
        short = lambda path: f"{path.parent.name}/{path.name}"  # noqa: E731
        return (
            [tuple(map(short, pair)) for pair in pairing.pairs],
            [short(path) for path in pairing.images_without_mask],
            [short(path) for path in pairing.masks_without_image],
            [tuple(map(short, problem.paths)) for problem in pairing.problems],
        )


@given(st.lists(file_names, unique=True, min_size=1), st.lists(file_names, unique=True, min_size=1))
def test_each_file_is_accounted_for_exactly_once(images, masks):
    found = _pair(images, masks)
    if found is None:  # nothing in common, or no picture in a folder: said with an error
        return
    pairs, alone, orphans, problems = found
    accounted = [path for group in (*pairs, *problems) for path in group] + alone + orphans
    assert sorted(accounted) == sorted([f"images/{name}" for name in images] + [f"masks/{name}" for name in masks])
    for image, mask in pairs:
        assert image.startswith("images/")
        assert mask.startswith("masks/")
        assert without_leading_zeros(plain_name(image)) == without_leading_zeros(plain_name(mask))


@given(st.lists(file_names, unique=True, min_size=1), st.randoms(use_true_random=False))
def test_the_order_in_which_the_file_system_lists_does_not_matter(files, random):
    def shuffled(paths):
        paths = list(paths)
        return random.sample(paths, len(paths))

    assert _pair(files, files) == _pair(files, files, shuffled)


def test_with_contents_each_file_is_accounted_for_too(write_folder, gray):
    mask = np.eye(8, dtype=np.uint8)
    images = write_folder("i", {"a.png": gray(1), "b.png": b"no", "c.png": gray(1), "d.png": gray(2), "e.png": gray(3)})
    masks = write_folder("m", {"a.png": mask, "b.png": mask, "c.png": mask, "d.png": mask[:4], "e.png": b"no"})
    pairing = pair_files(images, masks)
    accounted = [path for group in pairing.pairs for path in group]
    accounted += [path for problem in pairing.problems for path in problem.paths]
    assert sorted(accounted) == sorted([*images.iterdir(), *masks.iterdir()])


# --- names that people and systems write differently ------------------------------------------


def test_an_accent_in_one_or_two_characters_is_one_name(folders):
    pairing = pair_files(*folders(["Zo\u00eb 1.png"], ["Zoe\u0308 1.png"]), check_contents=False)
    assert len(pairing.pairs) == 1
    assert pairing.ok


def test_names_that_differ_only_in_the_writing_of_an_accent_or_in_case_pair_with_nothing(folders):
    images, masks = ["Zo\u00eb.png", "Zoe\u0308.png", "A.png", "a.png"], ["Zo\u00eb.png", "a.png"]
    pairing = pair_files(*folders(images, masks), check_contents=False)
    assert not pairing.pairs
    assert [problem.kind for problem in pairing.problems] == ["duplicate", "duplicate"]
    assert {path.name for problem in pairing.problems for path in problem.paths} == {*images, *masks}


def test_spaces_in_names_are_kept(folders):
    pairing = pair_files(*folders(["scan 1 (copy).png"], ["scan 1 (copy)_mask.png"]), check_contents=False)
    assert names(pairing.pairs) == [("scan 1 (copy).png", "scan 1 (copy)_mask.png")]


def test_links_in_a_circle_are_named_and_do_not_hang(folders):
    images, masks = folders(["a.png"], ["a.png"])
    (images / "b.png").symlink_to(images / "c.png")
    (images / "c.png").symlink_to(images / "b.png")
    (images / "up").symlink_to(images)
    pairing = pair_files(images, masks, check_contents=False)
    assert names(pairing.pairs) == [("a.png", "a.png")]
    assert [problem.path.name for problem in pairing.problems] == ["b.png", "c.png"]
    assert "leads nowhere" in str(pairing)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read any folder")
def test_a_folder_that_may_not_be_read_is_named(folders):
    images, masks = folders(["a.png"], ["a.png"])
    masks.chmod(0)
    try:
        with pytest.raises(ValueError, match="masks' may not be read by this user"):
            pair_files(images, masks)
    finally:
        masks.chmod(0o755)


def test_ten_thousand_pairs_take_less_than_a_second_of_the_processor(tmp_path):
    for side in ("images", "masks"):
        (tmp_path / side).mkdir()
        for k in range(10_000):
            (tmp_path / side / f"P{k // 50}_Z_{k % 50}.png").touch()
    began = time.process_time()  # not the clock: the machine may be busy
    pairing = pair_files(tmp_path / "images", tmp_path / "masks", check_contents=False)
    assert time.process_time() - began < 1
    assert len(pairing.pairs) == 10_000
    assert pairing.pairs[50][0].name == "P1_Z_0.png"


# --- by a key of the reader -------------------------------------------------------------------


def patient_and_position(name):
    patient, position = re.search(r"ID_(\d+)_Z_(\d+)", name).groups()
    return int(patient), int(position)


HOSPITAL = (["T1_ID_7_Z_9.png", "T1_ID_7_Z_10.png"], ["ID_0007_Z_0010_mask2.png", "ID_0007_Z_0009_mask2.png"])


def test_a_key_pairs_what_no_rule_of_names_would(folders):
    both = folders(*HOSPITAL)
    with pytest.raises(ValueError, match="or give pair_files a key"):
        pair_files(*both, check_contents=False)
    pairing = pair_files(*both, check_contents=False, key=patient_and_position)
    assert names(pairing.pairs) == list(zip(HOSPITAL[0], reversed(HOSPITAL[1]), strict=True))
    assert pairing.ok
    assert str(pairing).startswith("2 pairs matched by key\n0 images")


def test_with_a_key_nothing_else_in_the_names_counts(folders):
    both = folders(["a_x.png", "b_y.png"], ["a_y.png", "b_x.png"])
    found = names(pair_files(*both, check_contents=False, key=lambda name: name[2]).pairs)
    assert found == [("a_x.png", "b_x.png"), ("b_y.png", "a_y.png")]


def test_with_a_key_a_number_behind_a_mask_word_makes_no_second_mask(folders):
    both = folders(["a.png"], ["a_mask.png", "a_mask_1.png"])
    pairing = pair_files(*both, check_contents=False, key=lambda name: "1" in name)
    assert names(pairing.pairs) == [("a.png", "a_mask.png")]
    assert [path.name for path in pairing.masks_without_image] == ["a_mask_1.png"]


def test_a_key_that_stands_twice_pairs_with_nothing_and_is_named(folders):
    both = folders(["T1_ID_7_Z_9.png", "T2_ID_7_Z_9.png", "T1_ID_8_Z_1.png"], ["ID_7_Z_9.png", "ID_8_Z_1.png"])
    pairing = pair_files(*both, check_contents=False, key=patient_and_position)
    assert names(pairing.pairs) == [("T1_ID_8_Z_1.png", "ID_8_Z_1.png")]
    message = one_problem(pairing, "duplicate").message
    assert message.startswith("one key, (7, 9), for 2 images (T1_ID_7_Z_9.png, T2_ID_7_Z_9.png) and 1 mask (ID_7_Z_9")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (patient_and_position, r"key fails for 'notes\.png' \(AttributeError: .*leave_out"),
        (lambda name: None if name.startswith("n") else name, r"key gives None for 'notes\.png'"),
        (lambda name: [name] if name.startswith("n") else name, r"key fails for 'notes\.png' \(TypeError: .*list"),
        (lambda name: {}[name] if name.startswith("n") else name, r"key fails for 'notes\.png' \(KeyError"),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_key_that_gives_nothing_to_compare_names_the_file(folders, key, said, side):
    files = [["ID_1_Z_1.png"], ["ID_1_Z_1.png"]]
    files[side].append("notes.png")
    both = folders(*files)
    with pytest.raises(ValueError, match=said):
        pair_files(*both, check_contents=False, key=key)
    pairing = pair_files(*both, check_contents=False, key=key, leave_out=["notes.png"])  # the remedy
    assert names(pairing.pairs) == [("ID_1_Z_1.png", "ID_1_Z_1.png")]
    assert pairing.ok


def test_a_key_shared_by_nobody_is_an_error_that_shows_it(folders):
    both = folders(["ID_1_Z_1.png"], ["ID_2_Z_1.png"])
    with pytest.raises(ValueError, match=r"'ID_1_Z_1\.png' gives \(1, 1\) against 'ID_2_Z_1\.png' gives \(2, 1\)"):
        pair_files(*both, check_contents=False, key=patient_and_position)


def test_what_is_left_out_takes_its_partner_by_key_along(folders):
    both = folders(*HOSPITAL)
    pairing = pair_files(*both, check_contents=False, key=patient_and_position, leave_out=[HOSPITAL[0][0]])
    assert names(pairing.pairs) == [(HOSPITAL[0][1], HOSPITAL[1][0])]
    assert [path.name for path in pairing.left_out] == [HOSPITAL[0][0], HOSPITAL[1][1]]
    assert pairing.ok


keys = st.sampled_from(
    [
        lambda name: name,
        lambda name: name[0],
        lambda name: len(name),
        lambda name: re.findall(r"\d+", name)[0],
        lambda name: tuple(map(int, re.findall(r"\d+", name))),
    ]
)


@given(st.lists(file_names, unique=True, min_size=1), st.lists(file_names, unique=True, min_size=1), keys)
def test_by_key_each_file_is_accounted_for_once_and_pairs_are_one_to_one(images, masks, key):
    found = _pair(images, masks, key=key)
    pictures = [[name for name in side if not name.endswith(".txt")] for side in (images, masks)]
    once = [{key(name) for name in side if sum(key(o) == key(name) for o in side) == 1} for side in pictures]
    anywhere = [set(map(key, side)) for side in pictures]
    if found is None:  # said with an error: no picture on one side, or no key on both sides and none twice
        assert not all(pictures) or not once[0] & once[1]
        return
    pairs, alone, orphans, problems = found
    accounted = [path for group in (*pairs, *problems) for path in group] + alone + orphans
    assert sorted(accounted) == sorted([f"images/{name}" for name in images] + [f"masks/{name}" for name in masks])
    assert {key(image.split("/")[1]) for image, _ in pairs} == once[0] & once[1]
    assert all(key(image.split("/")[1]) == key(mask.split("/")[1]) for image, mask in pairs)
    assert {key(path.split("/")[1]) for path in alone} == once[0] - anywhere[1]
    assert {key(path.split("/")[1]) for path in orphans} == once[1] - anywhere[0]


# --- images and masks in one folder -----------------------------------------------------------


def test_a_mask_beside_its_image_is_told_by_its_ending(folders):
    folder, _ = folders(["x_9.png", "x_10.png", "x_9_mask.png", "X_10_SEG.tif", "y.png", "z_mask.png"], [])
    pairing = pair_suffixes(folder, check_contents=False)
    assert names(pairing.pairs) == [("x_9.png", "x_9_mask.png"), ("x_10.png", "X_10_SEG.tif")]
    assert [path.name for path in pairing.images_without_mask] == ["y.png"]
    assert [path.name for path in pairing.masks_without_image] == ["z_mask.png"]


@pytest.mark.parametrize(("files", "missing"), [(["a.png"], r"mask \(x_mask\.png"), (["a_mask.png"], "image beside")])
def test_a_folder_of_one_kind_only_is_named(folders, files, missing):
    with pytest.raises(ValueError, match=rf"images' holds no {missing}"):
        pair_suffixes(folders(files, [])[0])


def test_two_masks_for_one_image_pair_with_nothing(folders):
    pairing = pair_suffixes(folders(["a.png", "a_mask.png", "a_seg.png"], [])[0], check_contents=False)
    assert not pairing.pairs
    assert len(one_problem(pairing, "duplicate").paths) == 3


@pytest.mark.parametrize(
    "more", [["_mask_1"], ["_mask_1", "_mask_2"], ["_mask_10", "_mask_9"], ["_mask-1"], ["_mask1"]]
)
@pytest.mark.parametrize("beside", [True, False])
def test_several_masks_with_numbers_are_one_problem_and_nothing_is_dropped(folders, more, beside):
    images, masks = ["a.png", "b.png"], ["a_mask.png", *(f"a{end}.png" for end in more)]
    if beside:
        pairing = pair_suffixes(folders([*images, "b_mask.png", *masks], [])[0], check_contents=False)
    else:
        pairing = pair_files(*folders(images, [*masks, "b.png"]), check_contents=False)
    problem = one_problem(pairing, "several")
    assert problem.path.name == "a.png"
    assert sorted(path.name for path in problem.paths[1:]) == sorted(masks)
    assert [image.name for image, _ in pairing.pairs] == ["b.png"]
    assert not pairing.masks_without_image


def test_a_number_behind_a_mask_word_is_no_mask_of_its_own_without_its_image(folders):
    pairing = pair_suffixes(folders(["x_seg_1.png", "x_seg_1_mask.png"], [])[0], check_contents=False)
    assert names(pairing.pairs) == [("x_seg_1.png", "x_seg_1_mask.png")]
    assert pairing.ok


@pytest.mark.parametrize("inner", ["batch2", "batch2/deeper", "b.png", "old", "2020"])
def test_a_folder_of_pictures_beside_the_files_is_named(write_folder, gray, inner):
    images = write_folder(
        "i", {"a.png": gray(1), f"{inner}/b.png": gray(2), "empty/notes.txt": None, ".x/c.png": gray(3)}
    )
    pairing = pair_files(images, write_folder("m", {"a.png": gray(1)}), check_contents=False)
    first = inner.split("/")[0]
    assert one_problem(pairing, "folder").path == images / first
    assert f"'{first}/' is a folder with 1 pictures, which are not read" in str(pairing)
    assert not pairing.ok


def test_a_folder_that_holds_folders_only_names_them(write_folder, gray):
    images = write_folder("i", {"P1/a.png": gray(1), "P2/a.png": gray(2)})
    with pytest.raises(ValueError, match=r"holds no image but folders with pictures \(P1, P2\)"):
        pair_files(images, images)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_blank_images_are_no_copies_of_each_other(write_folder, gray, value):
    blank = np.full((8, 8), value, np.uint8)
    files = {"P1_1.png": gray(1), "P1_2.png": blank, "P2_1.png": gray(2), "P2_2.png": blank, "P2_3.png": gray(2)}
    pairing = pair_files(write_folder("i", files), write_folder("m", dict.fromkeys(files, blank)))
    assert one_problem(pairing, "copy").path.name == "P2_3.png"
    assert len(pairing.pairs) == 4


@pytest.mark.parametrize(
    "blank",
    [
        np.full((8, 8, 3), (240, 200, 220), np.uint8),
        np.full((8, 8, 3), 255, np.uint8),
        np.full((8, 8), 4095, np.uint16),
        np.zeros((8, 8), np.uint16),
        np.full((8, 8), 0.5, np.float32),
    ],
    ids=["stain", "white", "16 bit", "black in 16 bit", "float"],
)
def test_blank_images_of_any_kind_are_no_copies(write_folder, gray, blank):
    end = ".npy" if blank.dtype == np.float32 else ".png"
    images = write_folder("i", {f"P{k}_1{end}": blank for k in range(3)})
    pairing = pair_files(images, write_folder("m", {f"P{k}_1.png": gray(0) % 2 for k in range(3)}))
    assert pairing.ok
    assert len(pairing.pairs) == 3


def test_images_that_differ_from_blank_in_one_pixel_are_copies(write_folder, gray):
    marked = np.full((8, 8, 3), (240, 200, 220), np.uint8)
    marked[3, 4, 1] = 0
    images = write_folder("i", {"P1_1.png": marked, "P2_1.png": marked})
    pairing = pair_files(images, write_folder("m", {"P1_1.png": gray(0) % 2, "P2_1.png": gray(0) % 2}))
    assert one_problem(pairing, "copy").path.name == "P2_1.png"
