#!/usr/bin/env python3
"""Writes what the Python module knows of records: alpc_dump/records.py and alpc_dump/tables.py, from the JSON Schema.

    write_records.py            writes both
    write_records.py --check    says which of them is not what the schema says, with status 1

Needs Python 3.9 and nothing else. tests/test_records.py runs the check.
"""

import json
import re
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "docs" / "alpc-dump.schema.json"
WIDTH = 100

RECORDS_HEAD = '''"""The records of all commands, as types.

Written by write_records.py from docs/alpc-dump.schema.json: do not change it here. At run time a record is a plain
dict, and these are what type checkers and editors know of it. Addresses are texts of hex digits. A member that is None
because it could not be read stands under "unreadable" with the reason, and one that this kernel does not have under
"absent".
"""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, TypedDict, Union

'''

TABLES_HEAD = '''"""The columns of tables and their types, by the kind of record that is a row.

Written by write_records.py from docs/alpc-dump.schema.json: do not change it here. Types are those of Arrow;
"unreadable" is text too: the members of the row that could not be read, each with its cause.
"""

from __future__ import annotations

from typing import Dict, Tuple

TABLES: Dict[str, Tuple[Tuple[str, str], ...]] = {
'''


class Schema:
    """The schema, and which of its definitions become classes."""

    def __init__(self, whole):
        self.csv = whole["x-csv"]
        self.definitions = whole["$defs"]
        self.classes = []
        self.aliases = []
        self.names = {name: class_name(name) for name in self.definitions}

    def resolve(self, node):
        while "$ref" in node:
            node = self.definitions[node["$ref"].rsplit("/", 1)[1]]
        return node

    def write(self):
        """Makes classes and aliases of all definitions, in their order."""
        for name, node in self.definitions.items():
            kind, _, rest = name.partition(".")
            if kind == "line":
                self.add_row(rest, node)
                continue
            if kind == "end":
                self.add_rest(class_name(rest), node["properties"]["rest"])
            elif is_object(node):
                self.add_class(self.names[name], node)
            else:
                self.aliases.append((self.names[name], self.type_of(node, self.names[name]), described(node)))

    def add_row(self, record, node):
        """A row of a table, where it is no record that stands in documents too."""
        members = {name: said for name, said in node.get("properties", {}).items() if name not in ("record", "dump")}
        known = any(one.get("properties") == members for one in self.definitions.values())
        if record in self.csv and not known:
            required = [name for name in node["required"] if name in members]
            row = {"properties": members, "required": required, "description": f"A row of the kind `{record}`."}
            self.add_class(class_name(record) + "Line", row)

    def add_rest(self, name, node):
        """What stands beside the records of a command."""
        written = self.type_of(node, f"Beside{name}")
        if written != "None":
            self.aliases.append((f"RestOf{name}", written, "What is told beside the records."))

    def add_class(self, name, node):
        index = len(self.classes)
        self.classes.append(None)
        required = node.get("required", [])
        members = [
            (member, self.type_of(said, name + class_name(member)), described(said), member in required)
            for member, said in node["properties"].items()
        ]
        self.classes[index] = (name, members, described(node))
        return name

    def type_of(self, node, name):
        """The type of a value, as an annotation; `name` is what an object without a name is called."""
        if not isinstance(node, dict):
            return "Any"
        if "$ref" in node:
            return self.names[node["$ref"].rsplit("/", 1)[1]]
        if "const" in node:
            return f"Literal[{node['const']!r}]"
        if "enum" in node:
            return literal_of(node["enum"])
        for word in ("anyOf", "oneOf"):
            if word in node:
                return self.union_of(node[word], name)
        types = node.get("type")
        if isinstance(types, list):
            parts = [self.type_of({**node, "type": one}, name) for one in types if one != "null"]
            return optional(union(parts)) if "null" in types else union(parts)
        if types == "array":
            return f"List[{self.items_of(node, name)}]"
        if types == "object":
            if "properties" in node:
                return self.add_class(name, node)
            return f"Dict[str, {self.type_of(node.get('additionalProperties') or {}, name)}]"
        plain = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
        return plain.get(types, "Any")

    def items_of(self, node, name):
        if "prefixItems" in node:
            return union([self.type_of(one, name) for one in node["prefixItems"]])
        items = node.get("items")
        return self.type_of(items, name + "Item") if isinstance(items, dict) else "Any"

    def union_of(self, choices, name):
        literals = [one["const"] for one in choices if "const" in one]
        if len(literals) == len(choices):
            return literal_of(literals)
        parts, nullable = [], False
        several = sum(one.get("type") != "null" for one in choices) > 1
        for number, one in enumerate(choices):
            if one.get("type") == "null":
                nullable = True
            else:
                parts.append(self.type_of(one, variant_name(name, one, number) if several else name))
        return optional(union(parts)) if nullable else union(parts)

    # Tables.

    def column(self, row, path):
        """The type of a column in Arrow's words."""
        kinds = set()
        self.gather(row, path.split("."), kinds)
        kinds.discard("null")
        return next(iter(kinds)) if len(kinds) == 1 else "large_string"

    def gather(self, node, path, kinds):
        node = self.resolve(node)
        for one in node.get("anyOf", []) + node.get("oneOf", []):
            self.gather(one, path, kinds)
        if path:
            member = node.get("properties", {}).get(path[0])
            if member is not None:
                self.gather(member, path[1:], kinds)
            return
        values = node.get("enum", [node["const"]] if "const" in node else [])
        kinds.update(literal_kind(value) for value in values)
        types = node.get("type", [])
        for one in [types] if isinstance(types, str) else types:
            kinds.add(column_kind(one, node))

    def tables(self):
        """The columns of each kind of row."""
        for record, paths in self.csv.items():
            row = self.definitions.get(f"line.{record}", {})
            yield record, [(path, self.column(row, path)) for path in paths] + [("unreadable", "unreadable")]


def class_name(name):
    """`document.ports` is PortsDocument, and `owner_process` OwnerProcess."""
    kind, _, rest = name.partition(".")
    words = f"{rest}-{kind}" if rest else kind
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_]", words))


def variant_name(name, node, number):
    """An object of several is called by its `kind`, where it has one."""
    for member, said in node.get("properties", {}).items():
        if "const" in said and isinstance(said["const"], str) and member in ("kind", "state", "status"):
            return name + class_name(said["const"])
    members = node.get("required") or []
    return name + class_name(members[0]) if len(members) == 1 else f"{name}{number + 1}"


def described(node):
    return node.get("description", "") if isinstance(node, dict) else ""


def is_object(node):
    return node.get("type") == "object" and "properties" in node


def literal_of(values):
    if None in values:
        rest = [value for value in values if value is not None]
        return optional(literal_of(rest)) if rest else "None"
    return "Literal[" + ", ".join(repr(value) for value in values) + "]" if values else "Any"


def union(parts):
    parts = list(dict.fromkeys(parts))
    if not parts:
        return "Any"
    return parts[0] if len(parts) == 1 else f"Union[{', '.join(parts)}]"


def optional(part):
    return part if part in ("Any", "None") or part.startswith("Optional[") else f"Optional[{part}]"


def literal_kind(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "large_string" if isinstance(value, str) else "int64"


def column_kind(one, node):
    if one == "integer":
        return "uint64" if node.get("minimum", -1) >= 0 else "int64"
    return {"null": "null", "boolean": "bool", "number": "double"}.get(one, "large_string")


def alias(annotation, names):
    """What an alias stands for: classes come before it, and other aliases that may not are named in texts."""
    pieces = re.split(r"('(?:[^'\\]|\\.)*')", annotation)
    quoted = "".join(
        piece if piece.startswith("'") else re.sub(r"\w+", lambda word: f'"{word[0]}"' if word[0] in names else word[0], piece)
        for piece in pieces
    )
    return f"Union[{quoted}]" if quoted.startswith('"') else quoted


def comment(text, indent):
    return "".join(
        f"{indent}# {line}\n" if line else f"{indent}#\n"
        for paragraph in text.split("\n\n")
        for line in textwrap.wrap(paragraph.replace("\n", " "), WIDTH - len(indent) - 2)
    )


def docstring(text):
    lines = []
    for paragraph in text.split("\n\n"):
        lines += [*textwrap.wrap(paragraph.replace("\n", " "), WIDTH - 4), ""]
    lines = lines[:-1] or ["A part of a record."]
    prefix = "r" if any("\\" in line for line in lines) else ""
    if len(lines) == 1 and len(lines[0]) < WIDTH - 12 and not lines[0].endswith('"'):
        return f'    {prefix}"""{lines[0]}"""\n'
    return f'    {prefix}"""' + "\n".join([lines[0]] + [f"    {line}" if line else "" for line in lines[1:]]) + '\n    """\n'


def class_text(name, members, description):
    """Members that may not be there are those of a class that is not total; it has the others from its base."""
    required = [member for member in members if member[3]]
    rest = [member for member in members if not member[3]]
    text = ""
    if rest and required:
        text += f"\n\nclass _{name}(TypedDict):\n" + members_text(required)
        text += f"\n\nclass {name}(_{name}, total=False):\n"
    else:
        text += f"\n\nclass {name}(TypedDict{', total=False' if rest else ''}):\n"
    text += docstring(description)
    shown = rest or required
    return text + ("\n" + members_text(shown) if shown else "")


def members_text(members):
    return "".join(comment(said, "    ") + f"    {member}: {annotation}\n" for member, annotation, said, _ in members)


def records_text(schema):
    names = [name for name, _, _ in schema.classes] + [name for name, _, _ in schema.aliases]
    doubles = {name for name in names if names.count(name) > 1}
    assert not doubles, f"two types of one name: {doubles}"
    text = RECORDS_HEAD + "__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n"
    for name, members, description in schema.classes:
        text += class_text(name, members, description)
    text += "\n"
    aliases = {name for name, _, _ in schema.aliases}
    for name, annotation, description in schema.aliases:
        text += "\n" + comment(description, "") + f"{name} = {alias(annotation, aliases)}\n"
    return text


def tables_text(schema):
    text = TABLES_HEAD
    for record, columns in schema.tables():
        text += f'    "{record}": (\n'
        text += "".join(f'        ("{path}", "{kind}"),\n' for path, kind in columns)
        text += "    ),\n"
    return text + "}\n"


def main():
    schema = Schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
    schema.write()
    status = 0
    for name, text in (("records.py", records_text(schema)), ("tables.py", tables_text(schema))):
        path = HERE / "alpc_dump" / name
        if sys.argv[1:] != ["--check"]:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is not what the schema says: run python/write_records.py", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
