"""Builds the wheel: maturin, with the binary beside the module.

maturin builds a module or a binary, and not both. So the binary is built before, and handed to it as a script: who
installs the wheel has the command that this repository has, whose signals, pipes and exit status are its own and not
those of a Python program that calls it.

ALPC_DUMP_PROFILE names another cargo profile than `dist`. A target of --target in MATURIN_PEP517_ARGS is the binary's too.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import maturin

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRIPTS = HERE / "alpc-dump.data" / "scripts"
PROFILE = os.environ.get("ALPC_DUMP_PROFILE", "dist")

get_requires_for_build_wheel = maturin.get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    _licences()
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, _settings(config_settings))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _licences()
    _script()
    return maturin.build_wheel(wheel_directory, _settings(config_settings), metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("no source distribution is made: build from a clone of the repository")


def _settings(settings):
    given = os.environ.get("MATURIN_PEP517_ARGS", "")
    os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target"))
    if "--profile" not in given:
        os.environ["MATURIN_PEP517_ARGS"] = f"--profile {PROFILE} {given}".strip()
    return settings


def _licences():
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        shutil.copyfile(ROOT / name, HERE / name)


def _script():
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)
    shutil.copy2(_binary(), SCRIPTS)


def _binary():
    """Builds the binary, and says where it is."""
    words = shlex.split(os.environ.get("MATURIN_PEP517_ARGS", ""))
    target = words[words.index("--target") + 1] if "--target" in words else None
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    command = ["cargo", "build", "--locked", "--bin", "alpc-dump", "--profile", PROFILE, "--target-dir", str(folder)]
    subprocess.run(command + (["--target", target] if target else []), cwd=ROOT, check=True)
    built = folder / (target or "") / ("debug" if PROFILE == "dev" else PROFILE)
    found = [built / name for name in ("alpc-dump", "alpc-dump.exe") if (built / name).is_file()]
    return found[0]
