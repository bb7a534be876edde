"""The license and how to cite the series are said in several places, and the same in each."""

import re
import tomllib
from pathlib import Path

import pytest
import site_licenses
import yaml

import unet_helpers

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
BOOK = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def words(name):
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_the_license_of_the_code_is_the_known_text():
    ours, known = words("LICENSE"), " ".join(site_licenses.license_of("sphinx-book-theme").split())
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


def test_the_notices_name_everything_in_the_site_that_others_made():
    notices = (ROOT / "THIRD-PARTY-NOTICES.txt").read_text(encoding="utf-8")
    first_words = [line for line in notices.splitlines() if line and not line.startswith(" ")]
    for owner in {*site_licenses.OWNERS.values()} - {""}:
        assert any(line.startswith(owner) for line in first_words), owner
    assert "SIL OPEN FONT LICENSE Version 1.1" in notices
    assert "OTHER DEALINGS IN THE FONT SOFTWARE." in notices
    assert "Permission is hereby granted, free of charge" in notices


def test_vendored_packages_are_in_the_notices_with_version_and_license():
    notices = words("THIRD-PARTY-NOTICES.txt")
    for package in yaml.safe_load((ROOT / "book" / "vendor" / "manifest.json").read_text(encoding="utf-8"))["packages"]:
        assert package["package"].rpartition("@")[2] in notices, package["package"]
    assert "MathJax 3.2.2 Apache License 2.0" in notices
    for inside in ("reveal.js 6.0.2", "MarkedJS", "John Gruber", "Rik Schennink"):
        assert inside in notices, inside
    assert re.search(r"axe(?:-core)? v?4\.12\.1", (ROOT / "tests" / "vendor" / "axe.min.js").read_text("utf-8")[:200])
    assert "axe-core 4.12.1" in notices


def test_the_site_gets_each_license_and_a_file_that_nobody_owns_is_named(tmp_path):
    site_licenses.write(ROOT, tmp_path)
    assert site_licenses.problems(tmp_path) == []
    for package in site_licenses.PACKAGES:
        text = (tmp_path / "licenses" / f"{package}.txt").read_text(encoding="utf-8")
        assert "Copyright" in text
        assert len(text) > 800
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "stranger.js").touch()
    (tmp_path / "_static" / "book.js").touch()
    (tmp_path / "licenses" / "Sphinx.txt").unlink()
    assert site_licenses.problems(tmp_path) == [
        "_static/stranger.js is in the site, and tools/site_licenses.py does not say whose it is",
        "licenses/Sphinx.txt is missing from the site",
    ]


def test_templates_for_issues_ask_where_what_and_what_is_right():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yml")}
    assert forms.keys() == {"config", "error", "idea"}
    for name in ("error", "idea"):
        form = forms[name]
        assert {"name", "description", "body"} <= form.keys()
        ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(set(ids)) == len(ids)
        assert all(field["attributes"]["label"] for field in form["body"] if field["type"] != "markdown")
    required = {f["id"] for f in forms["error"]["body"] if f.get("validations", {}).get("required")}
    assert required == {"where", "kind", "seen"}
