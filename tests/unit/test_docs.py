"""The documents say what the code does: every setting, every key of a descriptor, every address, every command."""

from __future__ import annotations

import re
import subprocess
import tomllib
import warnings
from pathlib import Path

import pytest
import pyvo
import vocabulary
import yaml
from astropy.io import fits
from astropy.wcs import WCS
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from pyvo.registry import regtap
from pyvo.utils.prototype import PrototypeWarning

from vo import cli
from vo.app import _routes
from vo.cli import serving
from vo.context import make_context
from vo.ingest.load import READERS
from vo.metadata import examples
from vo.metadata.collection import Collection, Contact, Person, ProductRules, ProductTemplate, load_collection
from vo.products.buckets import Bucket, read_buckets
from vo.settings import Settings
from vo.uws.service import JobService
from vo.web.discovery.runs import Runs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: Defaults that are folders of this very checkout.
SHIPPED = {"schema_dir": "shipped with the package", "resources_dir": "shipped with the package"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def settings_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = SHIPPED.get(name) or ("(unset)" if field.default in (None, "", ()) else f"`{field.default}`")
        rows.append(f"| `VO_{name.upper()}` | {default} | {field.description} |")
    return rows


def test_every_setting_is_documented_with_its_default_and_meaning():
    wanted = settings_rows()
    written = [line for line in read("docs/settings.md").splitlines() if line.startswith("| `VO_")]
    missing = [row for row in wanted if row not in written]
    stale = [row for row in written if row not in wanted]
    assert not missing, "docs/settings.md lacks these rows:\n" + "\n".join(missing)
    assert not stale, "docs/settings.md has rows that are no longer true:\n" + "\n".join(stale)


def test_every_setting_has_a_description():
    bare = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not bare
    assert all(field.default is not PydanticUndefined for field in Settings.model_fields.values())


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))])
def test_documents_name_only_settings_that_exist(name):
    known = {f"VO_{field.upper()}" for field in Settings.model_fields}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        known |= set(re.findall(r"\bVO_(?:TEST|BENCH)_[A-Z]+\b", path.read_text(encoding="utf-8")))
    assert set(re.findall(r"\bVO_[A-Z_]+\b", read(name))) <= known


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))])
def test_links_between_documents_lead_somewhere(name):
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", read(name)):
        assert (folder / target).exists(), f"{name} links to {target}, which is not there"


def descriptor_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of collection.toml, dotted; a header rule counts as one key."""
    keys = []
    for name, field in model.model_fields.items():
        if name == "folder":
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and inner.__name__ != "HeaderRule":
            keys += descriptor_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def first_column(name: str, heading: str) -> list[str]:
    """What stands in backquotes at the beginning of each row of the table with this first heading."""
    text = read(name)
    table = text[text.index(f"| {heading} |") :].split("\n\n", 1)[0]
    return sorted(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))


def test_every_key_of_a_descriptor_is_documented():
    assert first_column("docs/collection.md", "Key") == sorted(descriptor_keys(Collection))


def test_every_key_of_people_is_documented_and_the_example_is_valid():
    assert first_column("docs/collection.md", "Person's key") == sorted(Person.model_fields)
    assert first_column("docs/collection.md", "Contact's key") == sorted(Contact.model_fields)
    block = re.search(r"```toml\n(creators = .*?)```", read("docs/collection.md"), flags=re.DOTALL)
    told = tomllib.loads(block[1])
    assert [Person.model_validate(one).name for one in told["creators"][1:]] == ["Sample, A."]
    assert Contact.model_validate(told["contact"]).email == "vault@skyview.example"


def test_the_example_descriptor_of_the_guide_is_valid(tmp_path):
    block = re.search(r"```toml\n(.*?)```", read("docs/collection.md"), flags=re.DOTALL)
    assert block is not None
    folder = tmp_path / "skyview"
    folder.mkdir()
    (folder / "collection.toml").write_text(block[1], encoding="utf-8")
    collection = load_collection(Settings(resources_dir=tmp_path), "skyview")
    assert collection.footprint.plate_scale == 101.4
    assert collection.fits.exptime_unit == "min"


def test_every_key_of_a_template_is_documented_and_the_example_is_valid(tmp_path):
    assert first_column("docs/collection.md", "Template key") == sorted(ProductTemplate.model_fields)
    block = re.search(r"```toml\n(\[\[products.templates.*?)```", read("docs/collection.md"), flags=re.DOTALL)
    fits_template, jacket = ProductRules.model_validate(tomllib.loads(block[1])["products"]).templates
    assert fits_template.file_name == "{plate_id}_{scan_id}_01.fits.fz"
    assert jacket.role == "jacket_photo"


def test_every_line_of_an_example_is_documented(tmp_path):
    assert first_column("docs/collection.md", "Line") == sorted(examples._KEYS)
    block = re.search(r"```sql\n(-- name: .*?)```", read("docs/collection.md"), flags=re.DOTALL)
    (tmp_path / "examples.adql").write_text(block[1], encoding="utf-8")
    comet, everything = examples.read_examples(Settings(resources_dir=tmp_path), ())
    assert comet.uploads == (examples.Upload("orbit", ("ra", "dec", "epoch"), ((214.62, 28.41, 30028.08),)),)
    assert everything.query == "SELECT * FROM skyview.plates"


def test_every_key_of_a_bucket_is_documented_and_the_example_is_valid(tmp_path):
    assert first_column("docs/products.md", "Bucket key") == sorted(Bucket.model_fields)
    block = re.search(r"```toml\n(.*?)```", read("docs/products.md"), flags=re.DOTALL)
    (tmp_path / "stores.toml").write_text(block[1], encoding="utf-8")
    found = read_buckets(tmp_path / "stores.toml")
    assert found["plates"].options(for_clients=True)["endpoint"] == "https://s3.example.org"
    assert found["open-plates"].skip_signature


def test_every_reader_is_documented():
    assert first_column("docs/collection.md", "Reader") == sorted(reader.name for reader in READERS)


def test_every_address_is_documented(database, settings):
    """The routes of the application, with <name> where a part varies."""
    context = make_context(settings, database)
    paths = {
        re.sub(r"\{(\w+)(:\w+)?\}", r"<\1>", route.path)
        for route in _routes(context, JobService(settings, database), Runs(settings))
    }
    assert first_column("docs/operating.md", "Path") == sorted(paths)


def test_every_command_is_documented():
    groups = [("", cli.app), *((f"{group.name} ", group.typer_instance) for group in cli.app.registered_groups)]
    names = {
        f"{before}{command.name or command.callback.__name__}"
        for before, group in groups
        for command in group.registered_commands
    }
    written = {re.match(r"vo ([a-z]+(?: [a-z]+)?)", row)[1] for row in first_column("docs/operating.md", "Command")}
    assert written == names


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_readmes_python_works_as_pasted(registered, tmp_path, capsys):
    """One block after the other in one session, warnings as errors; only the address is the test server's."""
    names: dict[str, object] = {}
    before = regtap.get_RegTAP_service_url()
    with vocabulary.at_hand(tmp_path), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrototypeWarning)  # pyVO's discovery says so of itself
        try:
            for block in python_blocks(read("README.md")):
                exec(block.replace("http://127.0.0.1:8080", registered.url), names)  # noqa: S102 - our own README
        finally:
            regtap.choose_RegTAP_service(before)
    said = capsys.readouterr().out
    assert said.count("comet_1941") >= 2
    assert "#this" in said
    assert "the plate itself: " in said
    assert re.search(r"^images: [1-9]", said, flags=re.MULTILINE)
    assert "Skipping ivo://vo-plates.example/sia2 because it is served by ivo://vo-plates.example/obscore" in said
    hdu = names["hdu"]
    x, y = WCS(hdu.header).all_world2pix(214.62, 28.41, 0)
    assert hdu.data[round(float(y)), round(float(x))] > 10000  # the comet's head, in the cutout, by its own solution


def test_the_registry_guides_python_works_as_pasted(registered, capsys):
    (block,) = python_blocks(read("docs/registry.md"))
    before = regtap.get_RegTAP_service_url()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrototypeWarning)  # pyVO says so when it is imported
        try:
            exec(block.replace("http://127.0.0.1:8080", registered.url), {})  # noqa: S102 - our own guide
        finally:
            pyvo.registry.choose_RegTAP_service(before)
    said = capsys.readouterr().out
    assert said.startswith("comet_1941")
    assert "Skipping ivo://vo-plates.example/sia2 because it is served by ivo://vo-plates.example/obscore" in said


def test_what_the_demo_prints_works_as_pasted(server, tmp_path, monkeypatch, capsys):
    serving._show_demo(server.url, tmp_path)
    lines = capsys.readouterr().out
    code = lines[lines.index("import pyvo") : lines.index("Ctrl-C")]
    monkeypatch.chdir(tmp_path)
    with vocabulary.at_hand(tmp_path):
        exec(code, {})  # noqa: S102 - what our own command prints
    assert "comet_1941" in capsys.readouterr().out
    with fits.open(tmp_path / "comet.fits") as hdus:
        assert hdus[0].header["CTYPE1"] == "RA---TAN"


# -- container files: without an engine they can only be read


def test_the_compose_file_names_what_is_there():
    compose = yaml.safe_load(read("docker/compose.yaml"))
    assert set(compose["services"]) == {"db", "serve"}
    for service in compose["services"].values():
        context = (ROOT / "docker" / service["build"]["context"]).resolve()
        dockerfile = context / service["build"]["dockerfile"]
        assert dockerfile.is_file()
        for line in re.findall(r"^COPY (?!--from)(.*)", dockerfile.read_text(), flags=re.MULTILINE):
            *sources, _ = [word for word in line.split() if not word.startswith("--")]
            assert all((context / source).exists() for source in sources), line
    settings = {f"VO_{field.upper()}" for field in Settings.model_fields}
    assert set(compose["services"]["serve"]["environment"]) <= settings
    assert set(re.findall(r"\bVO_[A-Z_]+", read("docker/Dockerfile"))) <= settings


@pytest.mark.parametrize("script", ["docker/start-db", ".ci/prepare", ".ci/pytest", ".ci/run"])
def test_scripts_are_sound_shell(script):
    shell = read(script).splitlines()[0].removeprefix("#!").split()[-1].rsplit("/", 1)[-1]
    done = subprocess.run([shell, "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_make_lists_its_targets():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    targets = set(re.findall(r"make (\w+)", done.stdout))
    assert targets == set(re.search(r"^\.PHONY: (.*)$", read("Makefile"), flags=re.MULTILINE)[1].split())
    for command in re.findall(r"make (\w+)", read("README.md")):
        assert command in targets
