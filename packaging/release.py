#!/usr/bin/env python3
"""Builds and checks the archives of a release, as release.toml describes them.

    release.py matrix                              the targets, as JSON for the release workflow
    release.py build  --binary FILE [--target T] [--out DIR]
    release.py check  --binary FILE [--target T]   builds, and tries all that is in the archive
    release.py recipes DIR --url URL --home URL    writes Homebrew's formula and Scoop's manifest of the archives in DIR
    release.py sums   DIR                          writes DIR/SHA256SUMS

Needs Python 3.11 and git, nothing else; what it checks with other programs it leaves out where they are not installed,
and says so. Without --target, the system that it runs on is meant.

The same commit and binary give the same bytes: files are in order of name, belong to nobody, and are all of the time in
SOURCE_DATE_EPOCH or, without it, of the commit.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
NAME = "alpc-dump"


class Problem(Exception):
    """Something that a release must not have."""


@dataclass(frozen=True)
class File:
    """A file of an archive."""

    data: bytes
    executable: bool


def config():
    return tomllib.loads((ROOT / "packaging/release.toml").read_text(encoding="utf-8"))


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]


def output(*command, **options):
    """What a command prints, as bytes; its complaints go where ours go."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise Problem(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def host():
    lines = output("rustc", "-vV").decode().splitlines()
    return next(line.removeprefix("host: ") for line in lines if line.startswith("host: "))


def target(release, triple):
    found = [one for one in release["target"] if one["triple"] == triple]
    if not found:
        raise Problem(f"release.toml has no target {triple}")
    return found[0]


def moment():
    """Seconds since 1970 that every file is of."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "-C", ROOT, "log", "-1", "--format=%ct"))


def commands(binary):
    """Those that --help lists before its arguments, indented below their headings."""
    lines = output(binary, "--help").decode().splitlines()
    lines = lines[: lines.index("Arguments:")]
    found = [match[1] for line in lines if (match := re.match(r"  ([a-z]+) ", line))]
    return [command for command in found if command != "help"]


def copied(release):
    """Files of the repository, and whether they are executable: only what git knows of."""
    listed = output("git", "-C", ROOT, "ls-files", "--stage", "-z").decode().split("\0")
    tracked = {}
    for line in filter(None, listed):
        about, path = line.split("\t")
        tracked[path] = about.startswith("100755")
    files = {}
    for pattern in release["files"]["copied"]:
        folder = pattern.removesuffix("**")
        found = [path for path in tracked if path == pattern or (folder != pattern and path.startswith(folder))]
        if not found:
            raise Problem(f"release.toml copies {pattern}, of which nothing is there")
        files |= {path: tracked[path] for path in found}
    return files


def contents(release, triple, binary):
    """All files of an archive by their paths in it."""
    windows = "windows" in triple
    files = {NAME + (".exe" if windows else ""): File(binary.read_bytes(), True)}
    for path, executable in copied(release).items():
        files[path] = File((ROOT / path).read_bytes(), executable)
    for shell, path in release["completions"].items():
        files[path] = File(output(binary, "completions", shell), False)
    files[f"man/man1/{NAME}.1"] = File(output(binary, "man"), False)
    for command in commands(binary):
        files[f"man/man1/{NAME}-{command}.1"] = File(output(binary, "man", command), False)
    if not windows:
        install = release["install"]
        files[install["path"]] = File((ROOT / install["script"]).read_bytes(), True)
    return dict(sorted(files.items()))


def as_tar(folder, files, when):
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=when) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path, file in files.items():
            info = tarfile.TarInfo(f"{folder}/{path}")
            info.size, info.mtime, info.mode = len(file.data), when, 0o755 if file.executable else 0o644
            archive.addfile(info, io.BytesIO(file.data))
    return packed.getvalue()


def as_zip(folder, files, when):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, file in files.items():
            info = zipfile.ZipInfo(f"{folder}/{path}", time.gmtime(when)[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # modes are those of Unix wherever it is packed
            info.external_attr = (0o100755 if file.executable else 0o100644) << 16
            archive.writestr(info, file.data)
    return packed.getvalue()


def build(release, triple, binary, out):
    """Writes an archive and returns its path and the folder that is in it."""
    kind = target(release, triple)["archive"]
    folder = folder_of(triple)
    pack = {"tar.gz": as_tar, "zip": as_zip}[kind]
    archive = out / f"{folder}.{kind}"
    out.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(pack(folder, contents(release, triple, binary), moment()))
    return archive, folder


def folder_of(triple):
    return f"{NAME}-{version()}-{triple}"


def recipes(release, folder, url, home):
    """Writes what package managers read about the archives of a release: where they are, and their sums."""

    def value(match):
        word, _, triple = match[1].partition(" ")
        plain = {"version": version(), "home": home}
        if match[1] in plain:
            return plain[match[1]]
        name = f"{folder_of(triple)}.{target(release, triple)['archive']}"
        match word:
            case "url":
                return f"{url}/{name}"
            case "sha256":
                return hashlib.sha256((folder / name).read_bytes()).hexdigest()
            case "folder":
                return folder_of(triple)
        raise Problem(f"$({match[1]}) means nothing")

    for template, path in release["recipes"].items():
        text = (ROOT / template).read_text(encoding="utf-8")
        (folder / path).write_text(re.sub(r"\$\(([^)]*)\)", value, text), encoding="utf-8", newline="\n")


def sums(folder):
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii", newline="\n")


# What a release is tried by.


def check(release, triple, binary):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        archive, folder = build(release, triple, binary, work / "one")
        # In another zone and with other rights, as another machine may have them.
        before, os.environ["TZ"] = os.umask(0o077), "Pacific/Kiritimati"
        again, _ = build(release, triple, binary, work / "two")
        os.umask(before)
        if archive.read_bytes() != again.read_bytes():
            raise Problem("the archive is another one when it is made again")
        said(f"{archive.name}: {archive.stat().st_size} bytes, the same when made twice")
        (work / "fresh").mkdir()
        # Not by what packed it: the system's own, which unpacks both kinds where a zip is the archive.
        output(tar(), "-xf", archive, "-C", work / "fresh")
        unpacked = work / "fresh" / folder
        check_list(unpacked)
        check_links(unpacked)
        program = unpacked / (NAME + (".exe" if "windows" in triple else ""))
        check_program(release, program, unpacked)
        check_completions(release, unpacked)
        check_pages(unpacked)
        if "windows" not in triple:
            check_install(unpacked, work / "prefix")
        check_recipes(release, triple, archive, unpacked, work)


def said(what):
    print(what, flush=True)


def tar():
    """Of two that Windows may have, the one that knows zip files and drives."""
    own = Path(os.environ.get("SYSTEMROOT", "/nowhere")) / "System32/tar.exe"
    return own if own.exists() else "tar"


def check_list(unpacked):
    """All that is there is listed, and all that is listed is there."""
    listed = (ROOT / "packaging/contents.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in listed if line and not line.startswith("#")}
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    if f"{NAME}.exe" in there:
        there = there - {f"{NAME}.exe"} | {NAME}
        listed = listed - {"install"}
    wrong = [f"not in contents.txt: {path}" for path in sorted(there - listed)]
    wrong += [f"not in the archive: {path}" for path in sorted(listed - there)]
    if wrong:
        raise Problem("\n".join(wrong))
    said(f"{len(there)} files, as contents.txt lists them")


def check_links(unpacked):
    """What the documents link to is in the archive."""
    for document in unpacked.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in link and not (document.parent / link).exists():
                raise Problem(f"{document.relative_to(unpacked)} links to {link}, which is not in the archive")
    said("links between the documents lead somewhere")


def check_program(release, program, folder):
    """It is of this version, and does the main job in the folder that it came with."""
    told = output(program, "--version").decode().split()
    if told != [NAME, version()]:
        raise Problem(f"the binary is {' '.join(told)}, Cargo.toml says {version()}")
    job = release["main-job"]
    view = output(program, *job["arguments"], cwd=folder)
    if view != (ROOT / job["expected"]).read_bytes():
        raise Problem(f"{' '.join(job['arguments'])} gives something else than {job['expected']}")
    said(f"the main job, in {folder.name}: the same, byte for byte")


def check_completions(release, unpacked):
    """Each shell that is installed reads its script; bash also completes by it."""
    parsers = {
        "bash": ["bash", "-n"],
        "zsh": ["zsh", "-n"],
        "fish": ["fish", "--no-execute"],
        "powershell": ["pwsh", "-NoProfile", "-Command", "[scriptblock]::Create((Get-Content -Raw $args[0])) > $null"],
    }
    for shell, path in release["completions"].items():
        script = unpacked / path
        missing = [command for command in commands(binary_of(unpacked)) if command not in script.read_text("utf-8")]
        if missing:
            raise Problem(f"{path} lacks {', '.join(missing)}")
        if not shutil.which(parsers[shell][0]):
            said(f"completions of {shell}: not parsed, {parsers[shell][0]} is not installed")
            continue
        if complaint := output(*parsers[shell], script, stderr=subprocess.STDOUT):
            raise Problem(f"{path}: {complaint.decode()}")
        said(f"completions of {shell} are read without complaint")
    if shutil.which("fish"):
        script = unpacked / release["completions"]["fish"]
        asked = f"source {script}; complete -C '{NAME} memory.dmp mess'"
        if (answer := output("fish", "--no-config", "-c", asked).split(b"\t")[0]) != b"message":
            raise Problem(f"fish completes `{NAME} memory.dmp mess` to {answer}")
        said(f"fish completes `{NAME} memory.dmp mess` to message")
    if os.name == "posix" and shutil.which("bash"):
        # As bash itself calls it: the function, the words so far, and which of them is completed.
        asked = f"""
            source "$1"
            COMP_WORDS=({NAME} memory.dmp mess) COMP_CWORD=2 COMPREPLY=()
            $(complete -p {NAME} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {NAME} mess memory.dmp
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        # The bash of macOS is too old to be asked for what it would complete.
        if int(output("bash", "-c", "echo $BASH_VERSINFO")) >= 4:
            script = unpacked / release["completions"]["bash"]
            if (answer := output("bash", "-c", asked, "bash", script).split()) != [b"message"]:
                raise Problem(f"bash completes `{NAME} memory.dmp mess` to {answer}")
            said(f"bash completes `{NAME} memory.dmp mess` to message")


def binary_of(unpacked):
    return next(path for path in (unpacked / NAME, unpacked / f"{NAME}.exe") if path.exists())


def check_pages(unpacked):
    """Each page is rendered without a warning, and is called as its file is."""
    pages = sorted((unpacked / "man/man1").iterdir())
    for page in pages:
        title = re.search(r"^\.TH (\S+) 1\b", page.read_text("utf-8"), re.MULTILINE)
        if not title or title[1].replace("\\-", "-").strip('"').lower() != page.stem:
            raise Problem(f"{page.name} has another title: {title and title[0]}")
    for linter in (["groff", "-man", "-ww", "-z", "-Kutf8"], ["mandoc", "-Tlint", "-Wwarning"]):
        if not shutil.which(linter[0]):
            said(f"manual pages: not rendered by {linter[0]}, it is not installed")
            continue
        for page in pages:
            done = subprocess.run([*linter, page], capture_output=True, check=False)
            told = (done.stdout + done.stderr).decode(errors="replace").splitlines()
            # The pages have no date: it would be another one for the same version.
            if complaints := [line for line in told if "missing date" not in line]:
                raise Problem("\n".join([page.name, *complaints]))
        said(f"{len(pages)} manual pages, rendered by {linter[0]} without a warning")


def check_install(unpacked, prefix):
    """The install of an unpacked release puts everything where systems look, and takes all of it away again."""
    output(unpacked / "install", "--prefix", prefix)
    there = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if path.is_file()}
    pages = {f"share/man/man1/{page.name}" for page in (unpacked / "man/man1").iterdir()}
    expected = pages | {
        f"bin/{NAME}",
        f"share/bash-completion/completions/{NAME}",
        f"share/zsh/site-functions/_{NAME}",
        f"share/fish/vendor_completions.d/{NAME}.fish",
    }
    if there != expected:
        raise Problem(f"the install differs by {sorted(there ^ expected)}")
    for page in pages:
        if (prefix / page).read_bytes() != (unpacked / "man/man1" / PurePosixPath(page).name).read_bytes():
            raise Problem(f"the installed {page} is not that of the archive")
    output(prefix / "bin" / NAME, "--version")
    output(unpacked / "install", "--prefix", prefix, "--uninstall")
    if any(path.is_file() for path in prefix.rglob("*")):
        raise Problem("the install leaves files behind")
    said(f"installed below a prefix: {len(there)} files, and taken away again")


def check_recipes(release, triple, archive, unpacked, work):
    """Each is well-formed, and names this archive by its sum; Homebrew's installs out of it, where Ruby is."""
    for other in release["target"]:
        path = archive.parent / f"{folder_of(other['triple'])}.{other['archive']}"
        if not path.exists():
            path.write_bytes(b"of another system")
    recipes(release, archive.parent, "https://example.invalid/v", "https://example.invalid")
    written = [archive.parent / path for path in release["recipes"].values()]
    named = [path for path in written if triple in path.read_text("utf-8")]
    total = hashlib.sha256(archive.read_bytes()).hexdigest()
    for path in named:
        if total not in path.read_text("utf-8"):
            raise Problem(f"{path.name} does not have the sum of {archive.name}")
    scoop = json.loads((archive.parent / release["recipes"]["packaging/scoop.json"]).read_text("utf-8"))
    if "windows" in triple:
        (about,) = scoop["architecture"].values()
        if not (unpacked.parent / about["extract_dir"] / scoop["bin"]).exists():
            raise Problem("Scoop's manifest names a binary that is not in the archive")
    formula = archive.parent / release["recipes"]["packaging/homebrew.rb"]
    if not shutil.which("ruby"):
        said("recipes of Homebrew and Scoop: filled in; the formula was not tried, ruby is not installed")
    elif "windows" in triple:
        said("recipes of Homebrew and Scoop: filled in")
    else:
        output("ruby", "-wc", formula)
        output("ruby", ROOT / "packaging/try-formula.rb", formula, unpacked, work / "cellar")
        said("recipes of Homebrew and Scoop: filled in; the formula installs, and passes its test")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("matrix")
    for action in ("build", "check"):
        about = actions.add_parser(action)
        about.add_argument("--binary", type=Path, required=True)
        about.add_argument("--target")
        if action == "build":
            about.add_argument("--out", type=Path, default=Path("target/package"))
    actions.add_parser("sums").add_argument("folder", type=Path)
    about = actions.add_parser("recipes")
    about.add_argument("folder", type=Path)
    about.add_argument("--url", required=True)
    about.add_argument("--home", required=True)
    asked = parser.parse_args()
    release = config()
    try:
        match asked.action:
            case "matrix":
                print(json.dumps({"include": release["target"]}))
            case "build":
                print(build(release, asked.target or host(), asked.binary.resolve(), asked.out)[0])
            case "check":
                check(release, asked.target or host(), asked.binary.resolve())
            case "recipes":
                recipes(release, asked.folder, asked.url, asked.home)
            case "sums":
                sums(asked.folder)
    except (Problem, OSError) as problem:
        print(f"release.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
