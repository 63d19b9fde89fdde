"""Merges bodies of one block into one class: the block's parameters, and their differences, become arguments of the constructor.

In: bodies with equal keys, so that they differ in literals only. Out: a `ClassDef` whose body has a formula over its arguments wherever a
number depends on the block's parameters or on sizes of its inputs, as the spec says, and an `Argument` wherever other literals differ.
Also, for each body, the call that makes it: `Block(64)` and `Block(128, stride=2)`. Always: a literal that is the same everywhere, and
depends on nothing that may vary, stays. A relation between two numbers is written only if the spec has it, never because the numbers
agree.

    >>> import netc
    >>> text = "block mlp(width) { dense (4 * width) relu -> dense width }; input 8 -> mlp 8 as a -> mlp 16 as b"
    >>> [line.strip() for line in netc.compile(text).source().splitlines() if "nn.Linear" in line]
    ['self.dense1 = nn.Linear(8, 4 * width)', 'self.dense2 = nn.Linear(4 * width, width)']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from netc.dsl.record import replace
from netc.dsl.trees import shape_key, walk_tree, zip_trees

from ....dims import Dim, SymDim, format_dim, free_symbols, make_symbol, substitute_symbols
from ....ir.choices import Key
from ....ir.walk import find_enclosing_block
from ....types.traced_ints import Origin, has_origin, is_integer, names_in, strip_formulas
from ..code.class_tree import (
    Argument,
    ChoiceItems,
    IfElse,
    RepeatStar,
    SizeArg,
    SizeRef,
    StrictLiteral,
    has_symbol,
)
from ..code.classes import ClassBody, ClassDef, ClassRef, ConstructorArgument, Guards
from ..code.python_expressions import CallCode, Code, ItemCode, KeywordCode, Lit, StageLit, StageValue, TupleCode, Unneeded
from ..unsupported_python import UnsupportedInPython, different_modules
from .choice_branches import splice_choices
from .class_symbols import ClassSymbols, find_home_graph, find_origin
from .constructor_arguments import ArgumentTable
from .float_expressions import float_to_code
from .input_sizes import InputSizes
from .optional_arguments import merge_flags
from .passed_on import make_passed_keywords
from .relations import VAGUE, Relations
from .symbol_formulas import dim_to_code

T = TypeVar("T")
COUNT = "depth"
"""The argument for a number of repeats, if the spec has no name for it."""


class Unifier:
    """Merges the bodies of one class."""

    def __init__(self, base: str, bodies: list[ClassBody], same: list[int], program: ClassSymbols) -> None:
        """`same`: equal numbers for bodies that are one shared module, whose constructor can only be called once."""
        self.bodies, self.same = bodies, same
        self.cls = ClassDef(base, bodies)
        self.relations = Relations(bodies, program)
        self.input_sizes = InputSizes(bodies, self.relations)
        self.arguments = ArgumentTable(bodies, self.relations)
        self.passed: list[list[Code]] = [list(codes) for codes in zip(*([code for _, code in b.passed] for b in bodies), strict=True)]
        """The arguments of `forward` that are no tensors, each with its value in every body."""
        self.in_forward = False
        self.wide_places: set[int] = set()
        """The literals that are passed to other classes as widths, by identity."""
        self.unused: set[int] = set()
        """The bodies in which the code that is being merged has no effect, whatever its literals are."""
        self.absent: set[int] = set()
        """The unused bodies that took another branch."""

    def run(self) -> ClassDef:
        self._merge_bodies()
        return self.cls

    def _merge_bodies(self) -> None:
        first = self.bodies[0]
        body = ClassBody(first.graph, first.framework)
        body.keyed = first.keyed
        body.names, body.roles, body.outputs = first.names, first.roles, first.outputs
        body.shared_labels, body.ties = first.shared_labels, first.ties
        body.starts, body.norms = first.starts, first.norms
        body.symbols, body.passed = self.input_sizes.symbols, list(first.passed)
        chains = [b.chain for b in self.bodies if b.chain is not None]
        if chains:
            body.chain = self._merge_calls(chains)
        body.tests = {key: self._merge_test(key) for key in first.tests}
        for i, member in enumerate(first.members):
            code = self._merge_branch_code([b.members[i].code for b in self.bodies], member.guards)
            body.members.append(replace(member, code=code))
        # Members first: an argument that the constructor needs is found there, and `forward` only stores it.
        self.in_forward = True
        for i, step in enumerate(first.steps):
            code = self._merge_branch_code([b.steps[i].code for b in self.bodies], step.guards)
            body.steps.append(replace(step, code=code))
        body.rewrite_code(splice_choices)
        # Last, because only the merged code shows what else depends on a flag.
        merge_flags(body, self.arguments)
        flags = [body.tests[key] for key in body.list_forward_conditions() if key not in body.find_optional_members()]
        self.arguments.stored |= {test.name for test in flags if isinstance(test, Argument)}
        body.passed += [(getattr(code, "hint", "") or "size", code) for code, *_ in self.passed[len(first.passed) :]]
        self.cls.body = body
        self.cls.format_size = self._format_size
        self.cls.common_formula = lambda values: self.relations.find_formula(values) if all(map(is_integer, values)) else None
        named = self.arguments.make_signature()
        self.cls.parameters, self.cls.constants = ([p for p in named if p.constant is constant] for constant in (False, True))
        self.cls.widths = self.arguments.wide

    def _merge_test(self, key: Key) -> Code:
        absent = {i for i, b in enumerate(self.bodies) if key not in b.taken}
        return self._merge_ignoring_bodies(absent, lambda: self._merge_codes([b.tests[key] for b in self.bodies]))

    def _merge_branch_code(self, codes: list[Code], guards: Guards) -> Code:
        """Merge code of a branch. Literals in bodies that took the other branch do not count."""
        absent = {i for i, b in enumerate(self.bodies) if any(b.taken.get(key) is not branch for key, branch in guards)}
        return self._merge_ignoring_bodies(absent, lambda: self._merge_codes(codes))

    def _merge_ignoring_bodies(self, unused: set[int], merge: Callable[[], T]) -> T:
        before = self.unused, self.absent
        self.unused, self.absent = self.unused | unused, self.absent | unused
        result = merge()
        self.unused, self.absent = before
        return result

    def _merge_choice(self, codes: list[ChoiceItems]) -> Code:
        """Merge members of a sequence that depend on a condition."""
        first = codes[0]
        taking = {i for i, code in enumerate(codes) if code.taken}
        used = {code.taken for i, code in enumerate(codes) if i not in self.unused}
        test = self._merge_codes([c.test for c in codes]) if len(used) > 1 else Lit(first.taken)
        others = set(range(len(codes))) - taking
        then = self._merge_ignoring_bodies(
            others, lambda: tuple(map(self._merge_codes, map(list, zip(*(c.then for c in codes), strict=True))))
        )
        otherwise = self._merge_ignoring_bodies(
            taking, lambda: tuple(map(self._merge_codes, map(list, zip(*(c.otherwise for c in codes), strict=True))))
        )
        return ChoiceItems(first.key, first.taken, test, then, otherwise)

    # --- anti-unification ------------------------------------------------------------------------------------------------

    def _merge_codes(self, codes: Sequence[Code], keyword: KeywordCode | None = None) -> Code:
        first = codes[0]
        if isinstance(first, Lit):
            return self._merge_literals([c for c in codes if isinstance(c, Lit)], keyword)
        if isinstance(first, ChoiceItems):
            return self._merge_choice([c for c in codes if isinstance(c, ChoiceItems)])
        if isinstance(first, RepeatStar):
            return self._merge_repeats([c for c in codes if isinstance(c, RepeatStar)])
        match first:
            case KeywordCode():
                return replace(first, value=self._merge_codes([c.value for c in codes if isinstance(c, KeywordCode)], first))
            case CallCode(StageLit()):
                return self._merge_stages([c for c in codes if isinstance(c, CallCode)])
            case CallCode(ClassRef(cls), args):
                positional = (p for p in cls.parameters if not p.keyword)
                self.wide_places |= {id(a) for a, p in zip(args, positional, strict=True) if p.name in cls.widths}
        return zip_trees(codes, self._merge_codes)

    def _merge_calls(self, codes: list[CallCode]) -> CallCode:
        merged = self._merge_codes(list(codes))
        assert isinstance(merged, CallCode)
        return merged

    def _merge_stages(self, calls: list[CallCode]) -> Code:
        """Merge calls of functions that may differ. The function becomes an argument if it does."""
        functions = [c.function for c in calls if isinstance(c.function, StageLit)]
        applied = [f.value.apply_to(c.args, c.kwargs) for f, c in zip(functions, calls, strict=True) if isinstance(f.value, StageValue)]
        used = [code for i, code in enumerate(applied) if i not in self.unused] or applied
        # One function in all uses: its keywords are compared like the keywords of any other call.
        if len(set(map(shape_key, used))) == 1:
            return self._merge_codes([used[0] if i in self.unused else code for i, code in enumerate(applied)])
        first = functions[0]
        function = self._merge_literals(list(functions), KeywordCode(first.hint, first, first.default, first.default is not None))
        args = tuple(self._merge_codes(list(column)) for column in zip(*(c.args for c in calls), strict=True))
        return CallCode(function, args, calls[0].kwargs)

    def _merge_literals(self, lits: list[Lit], keyword: KeywordCode | None) -> Code:
        idle = {i for i, lit in enumerate(lits) if isinstance(lit, Unneeded)}
        # Unneeded literals match any value, so a needed one takes their place before the literals are compared.
        if idle and len(idle) < len(lits):
            needed = next(lit for i, lit in enumerate(lits) if i not in idle)
            return self._merge_ignoring_bodies(
                idle, lambda: self._merge_literals([needed if i in idle else lit for i, lit in enumerate(lits)], keyword)
            )
        values = [self.relations.strip_pinned(lit.value) for lit in lits]
        hint = lits[0].hint or (keyword.name if keyword else "")
        if VAGUE.fullmatch(hint) and all(is_integer(v) for v in values) and len(set(values)) > 1:
            hint = self.relations.find_output_word(values, self.unused) or hint
        used = [v for i, v in enumerate(values) if i not in self.unused] or values
        is_width = id(lits[0]) in self.wide_places or self.bodies[0].framework.widths.words.fullmatch(hint) is not None
        if any(has_origin(v) for v in used):
            code = (
                self._find_formula_code(values)
                or self._find_float_code(values)
                or self._find_conditional_code(values, self.bodies[0].tests)
            )
            if code is not None:
                if is_width:
                    names = {p.name for p in walk_tree(code) if isinstance(p, Argument)}
                    self.arguments.wide |= names if len(names) == 1 else set()
                return replace(code, hint=lits[0].hint) if isinstance(code, Lit) else code
            # The class of the model has one instance: a number without a formula is written as it is, and its symbols become fixed.
            if self.bodies[0].graph.kind == "model":
                if isinstance(used[0], tuple):
                    return self._merge_items(values, lits[0].hint)
                self.relations.fix_symbols(used)
                return Lit(strip_formulas(used[0]), lits[0].hint)
        elif (
            len({StrictLiteral(v) for v in used}) == 1 and not has_symbol(values[0]) and not self._needs_own_argument(lits[0], values, hint)
        ):
            return Lit(used[0], lits[0].hint)
        # A shared module is constructed once, so a value that differs between its uses must be read or passed in `forward`.
        if self.in_forward and (self._has_conflict(values) or any(has_symbol(v) for v in values)):
            return self.input_sizes.find_equal_size(lits) or self._add_forward_argument(lits)
        argument = self._find_constructor_argument(values, hint, keyword)
        if argument is None:
            return self._merge_items(values, lits[0].hint)
        self.arguments.wide |= {argument.name} if is_width and len(set(map(StrictLiteral, values))) > 1 else set()
        return argument

    def _merge_items(self, values: Sequence[Any], hint: str) -> Code:
        """Merge tuples item by item."""
        assert len({len(v) if isinstance(v, tuple) else -1 for v in values}) == 1
        items = tuple(self._merge_literals([Lit(v, hint) for v in column], None) for column in zip(*values, strict=True))
        if all(isinstance(i, Lit) for i in items):
            return Lit(tuple(i.value for i in items if isinstance(i, Lit)), hint)
        return TupleCode(items)

    def _merge_repeats(self, codes: list[RepeatStar]) -> Code:
        counts: list[Any] = [c.count.value if isinstance(c.count, Lit) else None for c in codes]
        idle = {i for i, count in enumerate(counts) if count == 0}
        before = self.unused
        # A repeat of zero members says nothing about its item, unless all repeats are empty.
        self.unused = before | idle if len(idle) < len(codes) else before
        item = self._merge_codes([c.item for c in codes])
        self.unused = before
        if any(has_origin(c) for c in counts):
            formula = self._find_formula_code(counts)
            if formula is not None:
                return RepeatStar(item, formula)
        if len(set(counts)) == 1:
            return RepeatStar(item, Lit(strip_formulas(counts[0])))
        # The first member is written on its own, so the argument counts one more than the repeat.
        return RepeatStar(item, Argument(self.arguments.add_argument([c + 1 for c in counts], COUNT).name, 1, -1))

    def _needs_own_argument(self, lit: Lit, values: Sequence[object], hint: str) -> bool:
        """Whether bodies that do not use the value might need another one: a size that is computed from a fixed one, in a branch that they
        do not take, or the block's own parameter of this name, in an iteration that they do not have. In YOLO's C2f, only uses with a
        residual connection repeat their layer."""
        if self.unused and not self.absent and self.arguments.is_parameter(hint, values, self.unused):
            return True
        return bool(self.absent) and is_integer(lit.value) and id(lit) in self.wide_places and self.relations.is_pinned

    def _has_conflict(self, values: Sequence[object]) -> bool:
        """Whether a shared module would need two of the values."""
        literals: dict[int, StrictLiteral] = {}
        return any(literals.setdefault(same, StrictLiteral(v)) != StrictLiteral(v) for same, v in zip(self.same, values, strict=True))

    def _add_forward_argument(self, lits: list[Lit]) -> Code:
        values: list[Code] = [*lits]
        if values not in self.passed:
            self.passed.append(values)
        return SizeArg(self.passed.index(values))

    # --- arguments -------------------------------------------------------------------------------------------------------

    def _find_formula_code(self, values: Sequence[Any]) -> Code | None:
        """Write the numbers by the one formula that they have in all bodies. None if they have none, or are in lists."""
        if not all(is_integer(v) or i in self.unused for i, v in enumerate(values)):
            return None
        formula = self.relations.find_formula(values, self.unused)
        if formula is None or (self.in_forward and self._has_conflict(values)):
            return None
        for name in free_symbols(formula):
            if (
                self._joined_size_to_code(name) if self.relations.find_joined_sizes(name) else find_origin(self.bodies[0].graph, name)
            ) is None:
                return None  # the size of a tensor that not all bodies get
            if not self.relations.is_known(name):
                return None  # a parameter of a block around only some of the bodies, as in swinv2_cr's stages
        return self._formula_to_code(formula)

    def _find_conditional_code(self, values: Sequence[Any], keys: Iterable[Key]) -> Code | None:
        """Write integers that have one formula where a condition of the class holds, and another where it does not. None if no condition
        of the class separates them so, or in `forward`."""
        used = [i for i in range(len(values)) if i not in self.unused]
        for key in () if self.in_forward else keys:
            held, missed = ({i for i in used if self.bodies[i].taken.get(key) is branch} for branch in (True, False))
            if held and missed and len(held) + len(missed) == len(used):
                then, otherwise = (
                    self._merge_ignoring_bodies(others, lambda: self._find_formula_or_number(values)) for others in (missed, held)
                )
                if then is not None and otherwise is not None:
                    return IfElse(self._merge_test(key), then, otherwise)
        return None

    def _find_formula_or_number(self, values: Sequence[Any]) -> Code | None:
        used = [v for i, v in enumerate(values) if i not in self.unused]
        same = is_integer(used[0]) and not has_origin(tuple(used)) and len(set(used)) == 1
        return Lit(used[0]) if same else self._find_formula_code(values)

    def _find_float_code(self, values: Sequence[Any]) -> Code | None:
        """Write a float by its one expression in all bodies. None if it has none, is no float, or is computed by another block."""
        if not all(isinstance(v, float) or i in self.unused for i, v in enumerate(values)):
            return None
        block = find_enclosing_block(self.bodies[0].graph)
        if any(find_enclosing_block(find_home_graph(self.bodies[0].graph, n)) is not block for n in names_in(tuple(values))):
            return None
        return float_to_code(values, self.unused, self._find_formula_code, self._float_symbol_to_code)

    def _float_symbol_to_code(self, name: str) -> Code:
        """Write a float that is a parameter, or its value if that is the same in all bodies and cannot vary."""
        value = self.relations.find_fixed_value(name)
        return self._symbol_to_code(name) if value is None else Lit(value)

    def _formula_to_code(self, formula: Dim) -> Code:
        return dim_to_code(formula, self._symbol_to_code, self.relations.named_formulas)

    def _symbol_to_code(self, name: str) -> Code:
        """Write a symbol: as an argument, an item of one, or in `forward` as the size of an input's axis."""
        if (joined := self._joined_size_to_code(name)) is not None:
            return joined
        origin = find_origin(self.bodies[0].graph, name)
        assert origin is not None
        if self.in_forward and origin.input is not None:
            size = self.input_sizes.read_tensor_size(origin.input, origin.axis)
            if size is not None:
                return size
        argument = self._use_argument(self.arguments.get_or_add_symbol(name, origin))
        return argument if origin.index is None else self._make_item(name, origin, argument)

    def _joined_size_to_code(self, name: str) -> Code | None:
        """Write the size of a tuple that an `if` gives: one size in one branch, one in the other. None for other sizes and formulas."""
        several = self.relations.find_joined_sizes(name)
        first_origin = next((origin for origin in several if origin is not None), None)
        if first_origin is None:
            return None
        before, self.unused = self.unused, {i for i, origin in enumerate(several) if origin is None}
        code = self._find_conditional_code(
            [0 if origin is None else origin.value for origin in several], (k for k in self.bodies[0].tests if k == first_origin.input.key)
        )
        self.unused = before
        return None if code is None else SizeRef("{0}", (code,), self.relations.choose_name(name, first_origin.input, first_origin.axis))

    def _make_item(self, name: str, origin: Origin, argument: Argument) -> Code:
        assert origin.index is not None
        counts = {len(find_home_graph(b.graph, name).arguments[origin.name]) for b in self.bodies}
        return ItemCode(argument, (Lit(origin.index),), counts.pop() if len(counts) == 1 else 0)

    def _format_size(self, values: Sequence[object]) -> str:
        """Write a size for a docstring, in terms of the arguments."""
        if not all(is_integer(v) for v in values) or not any(has_origin(v) for v in values):
            return ""
        formula = self.relations.find_formula(values)
        if formula is None:
            return self.arguments.find_same_argument(values)
        names = {name: self.arguments.find_argument_name(name) for name in free_symbols(formula)}
        if not isinstance(formula, SymDim) or not all(names.values()):
            return ""
        return format_dim(substitute_symbols(formula, {name: make_symbol(argument) for name, argument in names.items()}))

    def _find_constructor_argument(self, values: Sequence[object], hint: str, keyword: KeywordCode | None) -> Argument | None:
        """Return an argument with these values. None for tuples that are better split."""
        if not self.in_forward and self._has_conflict(values):
            raise UnsupportedInPython(different_modules("a shared stage", self.bodies[0].framework.title), self.bodies[0].graph)
        tuples = all(isinstance(v, tuple) and v for v in values) and len({len(v) for v in values if isinstance(v, tuple)}) == 1
        if tuples and not self.arguments.has_values(values, self.unused):
            return None
        return self._use_argument(self.arguments.get_or_add_literals(values, hint, keyword, self.unused, self.absent))

    def _use_argument(self, parameter: ConstructorArgument) -> Argument:
        if self.in_forward:
            self.arguments.stored.add(parameter.name)
        return Argument(parameter.name)


# --- making instances ------------------------------------------------------------------------------------------------------


def make_instance_call(cls: ClassDef, index: int) -> Code:
    """Make the call that makes the module of the class's graph number `index`."""
    positional = tuple(_get_instance_value(p, index) for p in cls.parameters if not p.keyword)
    keywords = tuple(KeywordCode(p.name, _get_instance_value(p, index), p.default, p.optional) for p in cls.parameters if p.keyword)
    return CallCode(ClassRef(cls), positional, (*keywords, *make_passed_keywords(cls.body)))


def _get_instance_value(parameter: ConstructorArgument, index: int) -> Code:
    value = parameter.values[index]
    return Unneeded(value, parameter.name) if value is None and parameter.unneeded else Lit(value, parameter.name)
