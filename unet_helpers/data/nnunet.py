"""What the Medical Segmentation Decathlon and nnU-Net have in common: imagesTr/, labelsTr/ and a dataset.json."""

import json
import re
from functools import partial
from pathlib import PurePosixPath

from ..files.paths import DataError, stem_of, suffix_of, user_path
from ..files.volumes import VOLUMES
from .layouts import WHAT, pictures_in
from .picture_folders import Item, classes_of, load_items
from .volume_folders import load_volumes


def load_decathlon(folder, *, class_names=None, mask_values=None, **options):
    """One task of the Medical Segmentation Decathlon, as its ``dataset.json`` lists it (arXiv 2106.05735).

    Parameters
    ----------
    folder : str or Path
        With ``dataset.json``, ``imagesTr/`` and ``labelsTr/``. The images without labels in ``imagesTs/`` are not read.
    class_names, mask_values
        In place of what ``dataset.json`` says.
    options
        As for :func:`unet_helpers.data.volume_folders.load_volumes`.
    """
    folder = user_path(folder)
    content = _read_json(folder)
    try:
        training = [(entry["image"], entry["label"]) for entry in content["training"]]
        names, values = _labels_of(content["labels"])
        channels = _channels_of(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from None
    cases = []
    for image, label in training:
        for name in (image, label):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                raise DataError(f"'{folder.name}/dataset.json' names '{name}', outside of its folder; repair it")
        cases.append((stem_of(image), [folder / image], folder / label))
    listed = {paths[0].name for _, paths, _ in cases}
    more = [path.name for path in (folder / "imagesTr").glob("[!.]*") if path.name not in listed]
    said = ", ".join(channels) or "no modality given"
    report = [f"recognized: {WHAT['decathlon']}: {content.get('name', folder.name)}, {said}"]
    if more:
        report.append(f"{len(more)} files of imagesTr left out, dataset.json does not list them: {', '.join(more[:5])}")
    if mask_values is None:
        _refuse_ignore(folder, content["labels"])
        mask_values = values
    names = class_names or names
    return load_volumes(folder.name, cases, tuple(names), mask_values, channels, report, **options)


def load_nnunet(folder, *, class_names=None, mask_values=None, problems="raise", **options):
    """nnU-Net's raw data: ``imagesTr/x_0000.nii.gz``, ``x_0001…`` are the channels of ``labelsTr/x.nii.gz``.

    ``dataset.json``, of version 1 or 2, gives the names of channels and labels, where it is there. PNG and TIFF are
    read with one channel. Parameters are those of :func:`load_decathlon`; ``problems`` is that of
    :func:`unet_helpers.data.picture_folders.load_pairs`.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    folder = user_path(folder)
    content = _read_json(folder) if (folder / "dataset.json").is_file() else {}
    labels = content.get("labels") if class_names is None or mask_values is None else None
    try:
        channels = _channels_of(content)
        names, values = _labels_of(labels) if labels else (None, None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from None
    if labels and mask_values is None:
        _refuse_ignore(folder, labels)
    cases, alone = _cases_of(folder)
    shown = ", ".join(alone[:10])
    if alone and problems == "raise":
        raise DataError(
            f"'{folder.name}' is laid out as for nnU-Net, but {len(alone)} files do not fit ({shown}): x_0000, x_0001, "
            "… in imagesTr are the channels of x in labelsTr, as many for each; complete them, or pass "
            "problems='leave_out'"
        )
    if not cases:
        raise DataError(f"'{folder.name}' holds no x_0000 in imagesTr whose x is in labelsTr ({shown}); copy it again")
    class_names, mask_values = class_names or names, mask_values or values
    said = ", ".join(channels) or "no channel names given"
    report = [f"recognized: {WHAT['nnunet']}: {content.get('name', folder.name)}, {said}"]
    if alone:
        report.append(f"{len(alone)} files left out: {shown}")
    if suffix_of(cases[0][1][0]) in VOLUMES:
        names_of = partial(classes_of, mask_values=mask_values)
        return load_volumes(folder.name, cases, class_names or names_of, mask_values, channels, report, **options)
    if len(cases[0][1]) > 1:
        raise DataError(
            f"'{folder.name}' holds pictures of {len(cases[0][1])} files each for nnU-Net; save each as one"
        )
    items = [Item(name, paths[0], [mask]) for name, paths, mask in cases]
    class_names, everything, more = load_items(items, class_names=class_names, mask_values=mask_values, **options)
    return folder.name, class_names, everything, [*report, *more]


def _cases_of(folder):
    """``(case, paths of the channels, label)`` of each complete case, and what is not in one."""
    (images, odd), (labels, more) = (pictures_in(folder / name) for name in ("imagesTr", "labelsTr"))
    alone = [f"imagesTr/{name}" for name in odd] + [f"labelsTr/{name}" for name in more]
    by_case = {}
    for path in images:
        match = re.fullmatch(r"(.+)_(\d{4})", stem_of(path))
        if match:
            by_case.setdefault(match.group(1), {})[int(match.group(2))] = path
        else:
            alone.append(f"imagesTr/{path.name}")
    count = max((len(channels) for channels in by_case.values()), default=0)
    by_name = {stem_of(path): path for path in labels}
    cases = []
    for name, channels in by_case.items():
        if name in by_name and sorted(channels) == list(range(count)):
            cases.append((name, [channels[k] for k in range(count)], by_name[name]))
        else:
            alone += [f"imagesTr/{path.name}" for path in channels.values()]
    used = {label for *_, label in cases}
    return cases, alone + [f"labelsTr/{path.name}" for path in labels if path not in used]


def _read_json(folder):
    try:
        content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        content.get("name")
    except (OSError, ValueError, AttributeError) as error:
        raise _unreadable(folder, error) from None
    return content


def _unreadable(folder, error):
    return DataError(
        f"'{folder.name}/dataset.json' cannot be read as that of a Decathlon task or of nnU-Net, with 'labels' and "
        f"'modality' (or 'channel_names'), and 'training'; copy it again ({type(error).__name__}: {error})"
    )


def _channels_of(content):
    named = content.get("channel_names", content.get("modality", {}))
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _labels_of(labels):
    """Class names in the order of their values, and which class each value is; of ``{"0": name}`` or ``{name: 0}``."""
    if len(labels) < 2:
        raise ValueError("fewer than two labels")
    if all(str(key).lstrip("-").isdigit() for key in labels):
        by_value = {int(value): str(name) for value, name in labels.items()}
    else:
        regions = [name for name, value in labels.items() if isinstance(value, list)]
        if regions:
            raise DataError(
                f"dataset.json has labels of several values each ({regions[0]}: {labels[regions[0]]}), regions that "
                "overlap; pass class_names and mask_values with one class per value"
            )
        by_value = {int(value): str(name) for name, value in labels.items()}
    values = sorted(by_value)
    return tuple(by_value[value] for value in values), {value: index for index, value in enumerate(values)}


def _refuse_ignore(folder, labels):
    for key, value in labels.items():
        name, number = (value, key) if str(key).lstrip("-").isdigit() else (key, value)
        if str(name).strip().casefold() == "ignore":
            raise DataError(
                f"'{folder.name}/dataset.json' has the label 'ignore' ({number}), pixels that must not count, which no "
                "loss and no metric here knows; say as which class they count, with class_names and "
                f"mask_values={{…, {number}: 0}}"
            )
