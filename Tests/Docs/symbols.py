# SPDX-License-Identifier: Apache-2.0
"""What the libraries' documentation says of symbols: each public one is documented, each that is named is there."""

import json
import pathlib
import re
import shutil
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SCRATCH = REPOSITORY / ".build/articles"
# A copy of the package, and beside it a package that uses it.
COPY, METER = SCRATCH / "flowprobe", SCRATCH / "meter"
LIBRARIES = ("FlowMeter", "FlowExport")


def run(command, **options):
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, **options)


def extract(library):
    """Writes down the public symbols of a library, as it was built for the articles' programs."""
    modules = METER / ".build/debug"
    folder = SCRATCH / "symbols" / library
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    maps = [f"-fmodule-map-file={path}" for path in modules.glob("CShims.build/module.modulemap")]
    # The Debian libraries' modules.
    systems = [word for path in sorted(COPY.glob("Sources/*/module.modulemap")) for word in ("-I", path.parent)]
    output = run(["swift", "symbolgraph-extract", "-module-name", library, "-I", modules / "Modules", *systems,
                  *[word for path in maps for word in ("-Xcc", path)],
                  "-target", target(), "-minimum-access-level", "public", "-output-dir", folder])
    return [output.stderr] if output.returncode else []


def target():
    return json.loads(run(["swift", "-print-target-info"]).stdout)["target"]["triple"]


def is_plain(symbol, names):
    """Whether its name says all: an initialiser of defaults or of the properties, a number's name in its registry."""
    path = symbol["pathComponents"]
    if symbol["kind"]["identifier"] == "swift.init":
        labels = re.search(r"\((.*)\)", path[-1]).group(1).split(":")[:-1]
        return all(".".join([*path[:-1], label]) in names for label in labels)
    return path[0] == "IPProtocol" or "::SYNTHESIZED::" in symbol["identifier"]["precise"]


def undocumented(library):
    symbols = json.loads((SCRATCH / "symbols" / library / f"{library}.symbols.json").read_text())["symbols"]
    names = {".".join(symbol["pathComponents"]) for symbol in symbols}
    return sorted(".".join(symbol["pathComponents"]) for symbol in symbols
                  if "docComment" not in symbol and not is_plain(symbol, names))


def lost_links(library):
    output = run(["docc", "convert", REPOSITORY / f"Sources/{library}/{library}.docc", "--warnings-as-errors",
                  "--additional-symbol-graph-dir", SCRATCH / "symbols" / library,
                  "--fallback-display-name", library, "--fallback-bundle-identifier", library,
                  "--output-dir", SCRATCH / f"{library}.doccarchive"])
    return [output.stdout + output.stderr] if output.returncode else []


def unknown_names():
    """Code in the articles that names a type or function which the sources do not have."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "Sources").rglob("*.swift"))
    known = set(re.findall(r"\w+", sources))
    for path in sorted((REPOSITORY / "Sources").rglob("*.docc/*.md")):
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for name in re.findall(r"(?<!`)`([A-Z]\w+(?:\.\w+)?)`(?!`)", text):
            for part in name.split("."):
                if part not in known and not (REPOSITORY / "Sources" / part).is_dir():
                    yield f"{path.name} names {name}"
