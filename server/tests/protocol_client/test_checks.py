"""Tests of the checks of schemas and models, without a server."""

import copy
import unittest

from checks import check_kind_model, check_schema, chunk_symbols, field_symbols
from errors import Malformed
from fields import Kind
from model import read_token_lane
from test_protocol import NO_CHANCES, SCHEMA, coded, field_schema, leaf, site, vec2

WHOLE = ("Int", {"min": 0, "max": 9})
LONG = ("Int", {"min": 0, "max": 2**32 - 1})
ANGLE = ("Angle", {"bits": 8})


def with_field(place, **changes):
    """The tests' schema with another field number `place` of its first kind."""
    schema = copy.deepcopy(SCHEMA)
    schema["entities"][0]["fields"][place].update(changes)
    return schema


class Schemas(unittest.TestCase):
    """Schemas that a client refuses."""

    def test_numbers(self):
        check_schema(SCHEMA)
        check_schema(with_field(0, ty=LONG, velocity=None))
        huge = {"name": "x" * 61440, "fields": []}
        twice = {"name": "Twice", "fields": [field_schema("a", WHOLE), field_schema("a", WHOLE)]}
        for change in ({"tick_hz": 0}, {"tick_hz": 1001}, {"input": twice}, {"events": SCHEMA["events"] * 2},
                       {"commands": [{"name": str(number), "fields": []} for number in range(65)]}, {"input": huge}):
            self.assertRaises(Malformed, check_schema, {**SCHEMA, **change})
        for ty in (("Int", {"min": 1, "max": 0}), ("Int", {"min": -2**31 - 1, "max": 0}),
                   ("Int", {"min": 1, "max": 2**32}), ("Float", {"min": 1.0, "max": 1.0, "step": 0.5}),
                   ("Float", {"min": 0.0, "max": float("inf"), "step": 0.5}),
                   ("Vec2", {"min": 0.0, "max": 1.0, "step": float("nan")})):
            self.assertRaises(Malformed, check_schema, with_field(0, ty=ty))
        names = {"name": "Team", "variants": ["one", "two"]}
        check_schema(with_field(0, ty=("Choice", {"variants": 2}), choice=names))
        self.assertRaises(Malformed, check_schema, with_field(0, ty=("Choice", {"variants": 3}), choice=names))
        self.assertRaises(Malformed, check_schema, with_field(0, choice=names))

    def test_velocities(self):
        def kind(moved, moving, **changes):
            fields = [field_schema("place", moved, velocity="rate"), field_schema("rate", moving),
                      field_schema("more", moving)]
            for name, change in changes.items():
                next(field for field in fields if field["name"] == name).update(change)
            return Kind({"name": "Kind", "fields": fields}, 60)
        kind(WHOLE, WHOLE)
        kind(ANGLE, WHOLE, place={"owner_only": True})
        for place, rate in ((WHOLE, vec2(9.0, 0.5)), (LONG, WHOLE), (WHOLE, LONG), (ANGLE, ANGLE),
                            (("Bool", {}), WHOLE), (("Quat", {"bits": 9}), ("Quat", {"bits": 9}))):
            self.assertRaises(Malformed, kind, place, rate)
        for changes in ({"place": {"velocity": "place"}}, {"rate": {"velocity": "more"}}, {"rate": {"rule": "Rare"}},
                        {"rate": {"owner_only": True}}, {"place": {"velocity": "none"}}):
            self.assertRaises(Malformed, kind, WHOLE, WHOLE, **changes)


def flat(needed):
    """A site of one leaf with equally long codes for the `needed` symbols, or an empty one."""
    if not any(needed):
        return site()
    length = max(1, (sum(needed) - 1).bit_length())
    return site(leaf(len(needed), {symbol: length for symbol, need in enumerate(needed) if need}))


class KindModels(unittest.TestCase):
    """Models that a client refuses."""

    KIND = Kind({"name": "Kind", "fields": [
        field_schema("level", WHOLE), field_schema("spin", ("Quat", {"bits": 8})), field_schema("lit", ("Bool", {})),
        field_schema("born", ("Quat", {"bits": 8}), rule="Initial"), field_schema("facing", ANGLE),
        field_schema("last", WHOLE)]}, 60)

    def model(self, common=(0b11, 0b1)):
        """A valid model."""
        fields = self.KIND.delta_fields
        needs = [chunk_symbols(chunk, pattern) for chunk, pattern in zip((fields[:4], fields[4:]), common)]
        needs += [symbols for field in self.KIND.fields for symbols in field_symbols(field)]
        return {"common": bytes(common), "sites": [flat(needed) for needed in needs], "chances": NO_CHANCES}

    def test_valid(self):
        for common in ((0b11, 0b1), (0b10, 0), (0, 0b1)):
            check_kind_model(self.KIND, self.model(common))
        self.assertEqual([bool(each["leaves"]) for each in self.model()["sites"]],
                         [True] * 2 + [True] * 5 + [False] + [False] * 4 + [True] * 2)

    def test_refused(self):
        lost = {"feature": 0, "threshold": 0, "children": (("Leaf", {"place": 0}), ("Leaf", {"place": 9}))}
        def change(place, **changes):
            def apply(model):
                model["sites"][place].update(changes)
            return apply
        def lengths(place, number, value):
            def apply(model):
                old = model["sites"][place]["leaves"][0]
                old["lengths"] = old["lengths"][:number] + bytes([value]) + old["lengths"][number + 1:]
            return apply
        def cut(model):
            model["sites"].pop()
        def wide(model):
            model["common"] = bytes([0b11, 0b11])
        def chances(model):
            model["chances"] = {"splits": [lost], "leaves": [(0, 0, 0)]}
        for damage in (cut, wide, chances, change(0, leaves=[]), change(0, splits=[lost]),
                       change(7, leaves=[leaf(69, {})]), change(2, leaves=[leaf(65, {0: 1})] * 2),
                       lengths(2, 0, 0), lengths(3, 32, 0x77)):
            model = self.model()
            damage(model)
            self.assertRaises(Malformed, check_kind_model, self.KIND, model)


class Wrapping(unittest.TestCase):
    """Sums of 32 bits."""

    def test_a_whole_range_wraps(self):
        lane = Kind({"name": "Long", "fields": [field_schema("number", LONG)]}, 60).lanes[0]
        class Still:
            weight, bias = 16, 0
        self.assertEqual(read_token_lane(coded(""), Still, 1, lane, 0, 0), 2**32 - 1)
        self.assertEqual(read_token_lane(coded(""), Still, 2, lane, 2**32 - 1, 2**32 - 1), 0)


if __name__ == "__main__":
    unittest.main()
