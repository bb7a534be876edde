"""The license and how to cite the series are said in several places, and the same in each."""

import tomllib
from pathlib import Path

import pytest
import yaml

import unet_helpers

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
BOOK = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def words(name):
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_the_license_of_the_code_is_the_known_text():
    ours, known = words("LICENSE"), words("book/vendor/html-manager/LICENSE")
    assert ours.startswith(f"BSD 3-Clause License Copyright (c) {BOOK['copyright']}, {BOOK['author']} ")
    assert ours.partition("Redistribution and use")[2] == known.partition("Redistribution and use")[2] != ""


def test_the_license_of_the_text_is_whole():
    text = words("LICENSE-text")
    assert text.startswith("Attribution 4.0 International ")
    assert all(f"Section {number} -- " in text for number in range(1, 9))
    assert "ShareAlike" not in text
    assert "NonCommercial" not in text


def test_package_and_citation_name_license_version_and_author():
    assert PROJECT["license"] == CITATION["license"] == "BSD-3-Clause"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert CITATION["version"] == PROJECT["version"] == unet_helpers.__version__
    assert [author["name"] for author in CITATION["authors"]] == [BOOK["author"]]


def test_the_citation_has_what_cff_requires_and_nothing_it_does_not_know():
    # https://github.com/citation-file-format/citation-file-format, schema 1.2.0
    assert {"authors", "cff-version", "message", "title"} <= set(CITATION)
    optional = "abstract commit contact date-released doi identifiers keywords license license-url preferred-citation"
    optional += " references repository repository-artifact repository-code type url version"
    assert set(CITATION) - {"authors", "cff-version", "message", "title"} <= set(optional.split())
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] in ("software", "dataset")
    texts = [value for key, value in CITATION.items() if key not in ("authors", "keywords")] + CITATION["keywords"]
    assert all(isinstance(text, str) and text for text in texts)
    assert len(set(CITATION["keywords"])) == len(CITATION["keywords"])


@pytest.mark.parametrize("name", ["README.md", "_config.yml"])
def test_both_licenses_are_named_where_people_look(name):
    assert "BSD 3-Clause" in words(name)
    assert "CC BY 4.0" in words(name)


def test_the_model_card_names_the_license_of_the_code():
    assert "The license is that of the code, BSD 3-Clause." in words("book/ethics_and_model_card.md")
