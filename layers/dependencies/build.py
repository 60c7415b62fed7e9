"""Puts the pinned libraries into a Lambda layer that runs on arm64 and on x86_64, without what no function uses.

Usage: python build.py FOLDER

The layer is built on any machine: pip fetches wheels for Lambda's platforms and compiles nothing.
Extension modules carry the architecture in their names, so both kinds lie side by side and the layer is one.
"""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHITECTURES = ("aarch64", "x86_64")
GLIBC_TAGS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""What Amazon Linux 2023 (glibc 2.34) can load."""

AWS_SERVICES = frozenset({"dynamodb", "secretsmanager", "ssm"})
"""The services that the functions call: botocore's models of all others are left out."""

UNUSED = (
    "bin",
    "boto3/data",
    "boto3/examples",
    "botocore/cacert.pem",  # certifi's is used where certifi is there
    "certifi/tests",
    "dateutil/zoneinfo/*.tar.gz",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css",
    "**/__pycache__",
    "**/*.pyi",
    "**/py.typed",
)

KEPT_METADATA = ("METADATA", "LICENSE*", "NOTICE*", "licenses")


def install(architecture: str, target: Path) -> None:
    """Install the hashed wheels for one architecture of Linux, whatever this machine is."""
    platforms = [argument for tag in GLIBC_TAGS for argument in ("--platform", f"{tag}_{architecture}")]
    requirements = Path(__file__).with_name("requirements.txt")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [
        "--root-user-action=ignore",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--no-compile",
        "--implementation=cp",
    ]
    command += ["--python-version=3.13", *platforms, f"--target={target}", f"--requirement={requirements}"]
    subprocess.run(command, check=True)  # noqa: S603 - nothing here comes from outside


def merge(source: Path, target: Path) -> None:
    """Add what one architecture has and the other lacks; a file of one name and two contents is refused."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        relative = file.relative_to(source)
        other = target / relative
        if relative.parts[0].endswith(".dist-info"):
            continue
        if not other.exists():
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, other)
        elif not filecmp.cmp(file, other, shallow=False):
            sys.exit(f"{relative} differs between {' and '.join(ARCHITECTURES)}")


def prune(target: Path) -> None:
    """Remove what no function uses."""
    for pattern in UNUSED:
        for path in list(target.glob(pattern)):
            remove(path)
    for service in (target / "botocore" / "data").iterdir():
        if not service.is_dir():
            continue
        if service.name not in AWS_SERVICES:
            remove(service)
            continue
        for outdated in sorted(service.iterdir())[:-1]:
            remove(outdated)
    for metadata in target.glob("*.dist-info"):
        for path in metadata.iterdir():
            if not any(path.match(pattern) for pattern in KEPT_METADATA):
                remove(path)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def main(folder: Path) -> None:
    first, *others = ARCHITECTURES
    install(first, folder)
    for architecture in others:
        with tempfile.TemporaryDirectory() as scratch:
            install(architecture, Path(scratch))
            merge(Path(scratch), folder)
    prune(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
