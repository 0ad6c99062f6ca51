"""Builds the wheel: maturin, with the binary beside the module.

maturin builds a module or a binary, and not both. So the binary is built before, and handed to it as a script: who
installs the wheel has the command that this repository has, whose signals, pipes and exit status are its own and not
those of a Python program that calls it.

Of the environment:

- ALPC_DUMP_PROFILE: another profile of cargo than `dist`.
- ALPC_DUMP_MANYLINUX=2_17: for every Linux with that C library or a later one, by zig; needs the packages cargo-zigbuild
  and ziglang. Without it a wheel is for Linux as it is here, and no index takes it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import maturin

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRIPTS = HERE / "alpc-dump.data" / "scripts"
PROFILE = os.environ.get("ALPC_DUMP_PROFILE", "dist")
MANYLINUX = os.environ.get("ALPC_DUMP_MANYLINUX")

get_requires_for_build_wheel = maturin.get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    _licences()
    # maturin wants it to be there, also where nothing is built yet: in a clean clone it is not.
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, _settings(config_settings))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _licences()
    _script()
    return maturin.build_wheel(wheel_directory, _settings(config_settings), metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("no source distribution is made: build from a clone of the repository")


def _settings(given):
    """What maturin is told. Its files go where the binary's are: most of them are the same."""
    os.environ["CARGO_TARGET_DIR"] = str(_target_folder())
    words = ["--profile", PROFILE]
    if MANYLINUX:
        words += ["--zig", "--target", _host(), "--compatibility", f"manylinux_{MANYLINUX}"]
    return {**(given or {}), "build-args": words}


def _target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def _host():
    said = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host: "))


def _licences():
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        shutil.copyfile(ROOT / name, HERE / name)


def _script():
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)
    shutil.copy2(_binary(), SCRIPTS)


def _binary():
    """Builds the binary, and says where it is."""
    folder = _target_folder()
    words = ["--locked", "--bin", "alpc-dump", "--profile", PROFILE, "--target-dir", str(folder)]
    build = ["cargo", "build"]
    if MANYLINUX:
        build = ["cargo-zigbuild", "zigbuild", "--target", f"{_host()}.{MANYLINUX.replace('_', '.')}"]
        folder = folder / _host()
    subprocess.run(build + words, cwd=ROOT, check=True)
    built = folder / ("debug" if PROFILE == "dev" else PROFILE)
    return next(built / name for name in ("alpc-dump", "alpc-dump.exe") if (built / name).is_file())
