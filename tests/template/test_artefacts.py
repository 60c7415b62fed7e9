"""What is deployed, built as SAM builds it: small, equal every time, complete, with bytecode that is used."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.template.expanded import FUNCTIONS, ROOT

pytestmark = pytest.mark.slow

LAYERS = {"DependenciesLayer": "dependencies", "OtpFeedbackLayer": "otp_feedback"}
MEGABYTE = 1_000_000
SETTINGS = {
    "OTP_TABLE": "verifications",
    "OTP_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:root",
    "OTP_SENDER": "+14155550100",
    "OTP_APP_NAME": "Acme",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
IMPORT = """
import sys
sys.path[:0] = sys.argv[1:]
import app
assert callable(app.lambda_handler)
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    assert "site-packages" not in file, file
"""


def build(target):
    """Build both layers in a folder, as SAM does: a scratch copy of each, and an ARTIFACTS_DIR."""
    for layer, folder in LAYERS.items():
        artefacts = target / layer
        artefacts.mkdir(parents=True)
        subprocess.run(
            ["make", "--silent", f"build-{layer}", f"ARTIFACTS_DIR={artefacts}", f"PYTHON={sys.executable}"],
            cwd=ROOT / "layers" / folder,
            env={name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "PYTHONPATH"}},
            check=True,
            timeout=300,
        )
    return target


def files(folder):
    """Relative path, mode, time and digest of every file."""
    return {
        str(path.relative_to(folder)): (
            oct(path.stat().st_mode),
            int(path.stat().st_mtime),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def unzipped(built, tmp_path_factory):
    """The layers zipped as SAM zips them, with dates of 1980, and unzipped as Lambda does."""
    target = tmp_path_factory.mktemp("opt")
    for layer in LAYERS:
        archive = target / f"{layer}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in sorted((built / layer).rglob("*")):
                if path.is_file():
                    entry = zipfile.ZipInfo(str(path.relative_to(built / layer)), (1980, 1, 1, 0, 0, 0))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    zipped.writestr(entry, path.read_bytes())
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(target / layer)
    return target


def test_two_builds_are_equal(built, tmp_path):
    again = build(tmp_path / "another folder")
    for layer in LAYERS:
        assert files(again / layer) == files(built / layer)


def test_the_dependencies_are_small(built, unzipped):
    size = sum(path.stat().st_size for path in (built / "DependenciesLayer").rglob("*") if path.is_file())
    assert size <= 25 * MEGABYTE
    assert (unzipped / "DependenciesLayer.zip").stat().st_size <= 8 * MEGABYTE


@pytest.mark.parametrize("function", sorted(FUNCTIONS.values()))
def test_a_functions_own_code_is_small(function):
    sources = (ROOT / "functions" / function).rglob("*.py")
    assert 0 < sum(path.stat().st_size for path in sources) <= 20_000


def test_both_processors_find_their_extension_modules(built):
    names = {path.name for path in (built / "DependenciesLayer").rglob("*.so")}
    for processor in ("aarch64", "x86_64"):
        assert f"_core.cpython-313-{processor}-linux-gnu.so" in names
    assert len(names) % 2 == 0


def test_every_source_has_its_bytecode(built):
    for source in built.rglob("*.py"):
        assert (source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc").is_file(), source


def test_bytecode_is_not_checked_against_dates_and_names_lambdas_paths(built):
    for bytecode in built.rglob("*.pyc"):
        content = bytecode.read_bytes()
        assert int.from_bytes(content[4:8], "little") == 0b01, bytecode
        assert str(built).encode() not in content
    assert b"/opt/python/otp_feedback/" in next((built / "OtpFeedbackLayer").rglob("*.pyc")).read_bytes()


def test_nothing_is_deployed_that_is_never_used(built):
    layer = built / "DependenciesLayer/python"
    services = {path.name for path in (layer / "botocore/data").iterdir() if path.is_dir()}
    assert services == {"dynamodb", "secretsmanager", "ssm"}
    for pattern in ("**/tests", "**/*.pyi", "bin", "*.dist-info/RECORD", "**/*.min.js"):
        assert not list(layer.glob(pattern)), pattern


@pytest.mark.parametrize("function", sorted(FUNCTIONS.values()))
def test_a_function_is_imported_from_the_artefacts_alone(function, unzipped, tmp_path):
    code = tmp_path / function
    code.mkdir()
    (code / "app.py").write_bytes((ROOT / "functions" / function / "app.py").read_bytes())
    before = {layer: files(unzipped / layer) for layer in LAYERS}
    places = [str(code), *(str(unzipped / layer / "python") for layer in LAYERS)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", IMPORT, *places],
        env=SETTINGS | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {layer: files(unzipped / layer) for layer in LAYERS} == before, "bytecode was compiled again"


def test_the_check_for_compiled_again_sees_stale_bytecode(tmp_path):
    module = tmp_path / "stale.py"
    module.write_text("value = 1\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path)], check=True, timeout=60)
    os.utime(module, (315532800, 315532800))
    before = files(tmp_path)
    subprocess.run([sys.executable, "-c", "import stale"], cwd=tmp_path, env={}, check=True, timeout=60)
    assert files(tmp_path) != before


def test_a_traceback_shows_the_source_line(unzipped):
    script = "import sys; sys.path.insert(0, sys.argv[1]); import msgspec.structs as m; print(m.__file__)"
    layer = unzipped / "DependenciesLayer/python"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(layer)], capture_output=True, text=True, check=True, timeout=60
    )
    assert Path(done.stdout.strip()).is_file()
