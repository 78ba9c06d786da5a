"""Checks of a schema and of its model, before anything is decoded by them."""

import math

from errors import Malformed
from fields import KINDS_MAX
from frames import SCHEMA
from model import CHUNK_FIELDS, FIRST_HEAD, LEAVES_MAX, ROTATION_SYMBOLS, Layout, check_tree, merged_field
from postcard import encode

TICK_HZ_MAX = 1000
SCHEMA_BYTES_MAX = 61440
STEPPED = ("Float", "Vec2", "Vec3")


def require(condition, text):
    """Raises Malformed with `text` unless `condition` holds."""
    if not condition:
        raise Malformed(text)


def check_schema(schema):
    """Checks a Schema of a Welcome frame, without its model."""
    require(1 <= schema["tick_hz"] <= TICK_HZ_MAX, f"{schema['tick_hz']} ticks a second")
    for table in ("entities", "events", "commands"):
        require(len(schema[table]) <= KINDS_MAX, f"{len(schema[table])} kinds")
        check_names(schema[table], table)
        for kind in schema[table]:
            check_kind(kind)
    check_kind(schema["input"])
    require(len(encode(SCHEMA, schema)) <= SCHEMA_BYTES_MAX, "a schema that is too large")


def check_names(items, place):
    """Checks that no two items have the same name."""
    names = [item["name"] for item in items]
    require(len(set(names)) == len(names), f"two of the same name in {place}")


def check_kind(kind):
    """Checks a KindSchema, but for its velocities, which are checked when it is compiled."""
    check_names(kind["fields"], kind["name"])
    for field in kind["fields"]:
        check_type(*field["ty"])
        choice = field["choice"]
        fits = choice is None or field["ty"] == ("Choice", {"variants": len(choice["variants"])})
        require(fits, f"names of the variants of {field['name']}")


def check_type(name, sizes):
    """Checks the numbers of a FieldType."""
    if name == "Int":
        require(-2**31 <= sizes["min"] <= sizes["max"] < 2**32 and sizes["max"] - sizes["min"] < 2**32, "range")
    elif name in STEPPED:
        require(all(math.isfinite(size) for size in sizes.values()), "a number that is not finite")
        require(sizes["min"] < sizes["max"] and sizes["step"] > 0, "range")


def check_model(kinds, models):
    """Checks the KindModels of a model against the kinds of entity."""
    require(len(models) <= len(kinds), "a model of more kinds than the game has")
    for kind, model in zip(kinds, models):
        if model["sites"]:
            check_kind_model(kind, model)


def check_kind_model(kind, model):
    """Checks one KindModel that has sites."""
    fields = kind.delta_fields
    chunks = [fields[first:first + CHUNK_FIELDS] for first in range(0, len(fields), CHUNK_FIELDS)]
    require(len(model["common"]) == len(chunks), "common patterns of other chunks")
    require(len(model["sites"]) == len(chunks) + len(kind.lanes), "sites of other fields")
    features = Layout(kind, len(chunks)).count
    needs = [chunk_symbols(chunk, common) for chunk, common in zip(chunks, model["common"])]
    needs += [symbols for field in kind.fields for symbols in field_symbols(field)]
    for site, needed in zip(model["sites"], needs):
        check_site(site, needed, features)
    if model["chances"]["leaves"]:
        check_tree_size(model["chances"])
        check_tree(model["chances"], features)


def chunk_symbols(chunk, common):
    """Of each symbol of a chunk's site, whether it may come."""
    require(common >> len(chunk) == 0, "a common pattern of more fields than its chunk has")
    merged = merged_field(chunk, common) is not None
    return [merged] * FIRST_HEAD + [not merged or head != common for head in range(1 << len(chunk))]


def field_symbols(field):
    """The same for the sites of a field's lanes."""
    sent = field.rule != "Initial"
    tokens = [sent and not field.two_valued] * FIRST_HEAD
    heads = [False] + [sent] * (ROTATION_SYMBOLS - FIRST_HEAD - 1)
    return [tokens + heads if field.rotation and place == 0 else tokens for place in range(len(field.lanes))]


def check_tree_size(tree):
    """Checks the numbers of leaves and splits."""
    require(1 <= len(tree["leaves"]) <= LEAVES_MAX > len(tree["splits"]), "a tree of no leaves, or too many")


def check_site(site, needed, features):
    """Checks a Site; `needed`: of each symbol, whether it may come."""
    if not any(needed):
        require(not site["splits"] and not site["leaves"], "a site that is never coded")
        return
    check_tree_size(site)
    check_tree(site, features)
    for leaf in site["leaves"]:
        lengths = [half for byte in leaf["lengths"] for half in (byte & 15, byte >> 4)]
        require(len(leaf["lengths"]) == (len(needed) + 1) // 2, "lengths of other symbols")
        require([length > 0 for length in lengths[:len(needed)]] == needed, "a symbol without a code, or one too many")
