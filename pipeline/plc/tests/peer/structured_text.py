"""Runs the Structured Text of deploy/plc: parsed by blark, a grammar of IEC 61131-3 that is not ours, checked as a strict
compiler would (every name declared, no type mixed with another), translated to Python, and called scan by scan.

structured_text.py FILE...
Each line on stdin is one run from switching on: {"scans": [{variable: value, ...}, ...]}, inputs of the last FILE's
program or block. The answer is a line {"scans": [{variable: value, ...}, ...]}: all its variables after each scan.
The first line out says what was compiled.
"""

import json
import sys

import blark.transform as st
from blark.parse import parse_source_code

WIDTH = {"BOOL": 1, "WORD": 16, "UINT": 16, "UDINT": 32, "INT": 16}
BITS, NUMBERS = ("BOOL", "WORD"), ("INT", "UINT", "UDINT")
ANY = "a literal"


class Wrong(Exception):
    """The text is not what a compiler takes."""


class Unit:
    """One FUNCTION_BLOCK or PROGRAM: its variables, and its body as a Python function of (v, blocks)."""

    def __init__(self, tree, known):
        self.name, self.known = str(tree.name), known
        self.types, self.first, self.inputs, self.constants = {}, {}, set(), set()
        for group in tree.declarations:
            for declaration in group.items:
                self.declare(group, declaration)
        self.lines = []
        self.statements(tree.body.statements if tree.body else [], 1)
        source = "\n".join(["def body(v, blocks):", *self.lines, "    return"])
        scope = {}
        exec(compile(source, self.name, "exec"), {"wrap": wrap, "fits": fits}, scope)
        self.body = scope["body"]

    def declare(self, group, declaration):
        init, base = declaration.init, str(declaration.init.base_type_name).upper()
        base = "INT" if base == "" else base
        value = getattr(init, "value", None)
        for variable in declaration.variables:
            name = str(getattr(variable, "variable", variable)).upper()
            if name in self.types:
                raise Wrong(f"{self.name}: {name} is declared twice")
            if isinstance(init, st.ArrayTypeInitialization):
                (span,) = init.spec.subranges
                length = int(str(span.stop)) + 1
                if str(span.start) != "0" or base not in WIDTH:
                    raise Wrong(f"{self.name}: {name} should be an array from 0 of a simple type")
                self.types[name], self.first[name] = (base, length), [0] * length
            elif base in WIDTH:
                self.types[name] = base
                first = self.constant(value) if value is not None else 0
                self.first[name] = bool(first) if base == "BOOL" else first
            elif base in self.known:
                self.types[name], self.first[name] = self.known[base], None
            else:
                raise Wrong(f"{self.name}: {name} is of type {base}, which nobody declares")
            if isinstance(group, st.InputDeclarations):
                self.inputs.add(name)
            if "CONSTANT" in str(getattr(group, "attrs", "")).upper():
                self.constants.add(name)

    def constant(self, node):
        code, _ = self.expression(node)
        return eval(code)

    # ---- statements

    def put(self, depth, line):
        self.lines.append("    " * depth + line)

    def statements(self, nodes, depth):
        before = len(self.lines)
        for node in nodes:
            self.statement(node, depth)
        if len(self.lines) == before:
            self.put(depth, "pass")

    def statement(self, node, depth):
        match node:
            case st.AssignmentStatement():
                (target,) = node.variables
                code, kind = self.variable(target)
                if str(target).upper() in self.inputs | self.constants:
                    raise Wrong(f"{self.name}: {target} is an input or a constant, and is assigned")
                self.put(depth, f"{code} = {self.as_type(node.expression, kind, node)}")
            case st.IfStatement():
                self.put(depth, f"if {self.as_type(node.if_expression, 'BOOL', node)}:")
                self.statements(body(node.statements), depth + 1)
                for clause in node.else_ifs:
                    self.put(depth, f"elif {self.as_type(clause.if_expression, 'BOOL', node)}:")
                    self.statements(body(clause.statements), depth + 1)
                if node.else_clause:
                    self.put(depth, "else:")
                    self.statements(body(node.else_clause.statements), depth + 1)
            case st.ForStatement():
                code, kind = self.variable(node.control)
                first = self.as_type(getattr(node, "from_"), kind, node)
                last = self.as_type(node.to, kind, node)
                if node.step is not None and str(node.step) != "1":
                    raise Wrong(f"{self.name}: FOR with BY: {node}")
                self.put(depth, f"for {code} in range({first}, {last} + 1):")
                self.statements(body(node.statements), depth + 1)
            case st.FunctionCallStatement():
                self.call_block(node, depth)
            case _:
                raise Wrong(f"{self.name}: no rule for {type(node).__name__}: {node}")

    def call_block(self, node, depth):
        name = str(node.name).upper()
        block = self.types.get(name)
        if not isinstance(block, Unit):
            raise Wrong(f"{self.name}: {name} is called and is no function block")
        for parameter in node.parameters:
            into = str(parameter.name).upper()
            if into not in block.inputs:
                raise Wrong(f"{self.name}: {block.name} has no input {into}")
            value = self.as_type(parameter.value, block.types[into], node)
            value = f"list({value})" if isinstance(block.types[into], tuple) else value
            self.put(depth, f"v[{name!r}][{into!r}] = {value}")
        self.put(depth, f"blocks[{block.name.upper()!r}].body(v[{name!r}], blocks)")

    # ---- expressions

    def as_type(self, node, kind, where):
        """The code of `node`, which must be of type `kind`."""
        code, got = self.expression(node)
        if got == ANY:
            return f"fits({code}, {kind!r})" if kind != "BOOL" else self.mixed(where, got, kind)
        if got != kind:
            self.mixed(where, got, kind)
        return f"list({code})" if isinstance(kind, tuple) else code

    def mixed(self, where, got, wanted):
        raise Wrong(f"{self.name}: {got} where {wanted} is wanted: {where}")

    def variable(self, node):
        """Code and type of a variable: simple, an element of an array, an output of a block."""
        if not isinstance(node, st.MultiElementVariable):
            name = str(node).upper()
            if name not in self.types:
                raise Wrong(f"{self.name}: {name} is not declared")
            return f"v[{name!r}]", self.types[name]
        name = str(node.name).upper()
        (element,) = node.elements
        kind = self.types.get(name)
        if isinstance(element, st.SubscriptList) and isinstance(kind, tuple):
            (subscript,) = element.subscripts
            return f"v[{name!r}][{self.as_type(subscript, 'INT', node)}]", kind[0]
        if isinstance(element, st.FieldSelector) and isinstance(kind, Unit):
            field = str(element.field).upper()
            if field not in kind.types:
                raise Wrong(f"{self.name}: {kind.name} has no {field}")
            return f"v[{name!r}][{field!r}]", kind.types[field]
        raise Wrong(f"{self.name}: no rule for {node}")

    def expression(self, node):
        match node:
            case st.ParenthesizedExpression():
                code, kind = self.expression(node.expr)
                return f"({code})", kind
            case st.Boolean():
                return str(str(node).upper() == "TRUE"), "BOOL"
            case st.Integer() | st.BitString():
                return str(int(str(node.value).replace("_", ""), node.base)), ANY
            case st.UnaryOperation() if str(node.op).upper() == "NOT":
                return f"(not {self.as_type(node.expr, 'BOOL', node)})", "BOOL"
            case st.BinaryOperation():
                return self.binary(node)
            case st.FunctionCall():
                return self.function(node)
            case st.SimpleVariable() | st.MultiElementVariable():
                return self.variable(node)
        raise Wrong(f"{self.name}: no rule for {type(node).__name__}: {node}")

    def binary(self, node):
        op = str(node.op).upper()
        (left, left_kind), (right, right_kind) = self.expression(node.left), self.expression(node.right)
        kind = right_kind if left_kind == ANY else left_kind
        if right_kind not in (kind, ANY) or kind == ANY:
            self.mixed(node, right_kind, left_kind)
        if op in ("=", "<>", "<", ">", "<=", ">="):
            if op not in ("=", "<>") and kind not in NUMBERS:
                self.mixed(node, kind, "a number")
            return f"({left} {dict([('=', '=='), ('<>', '!=')]).get(op, op)} {right})", "BOOL"
        if op in ("AND", "OR", "XOR"):
            if kind not in BITS:
                self.mixed(node, kind, "BOOL or WORD")
            if kind == "BOOL":
                op = {"AND": "and", "OR": "or", "XOR": "!="}[op]
                return f"({left} {op} {right})", kind
            return f"({left} {dict(AND='&', OR='|', XOR='^')[op]} {right})", kind
        if op in ("+", "-", "*", "/", "MOD"):
            if kind not in NUMBERS:
                self.mixed(node, kind, "a number")
            python = {"/": "//", "MOD": "%"}.get(op, op)
            return f"wrap({left} {python} {right}, {kind!r})", kind
        raise Wrong(f"{self.name}: no rule for {op}: {node}")

    def function(self, node):
        name = str(node.name).upper()
        given = [self.expression(parameter.value) for parameter in node.parameters]
        source, _, target = name.partition("_TO_")
        if source in WIDTH and target in WIDTH and len(given) == 1:
            if given[0][1] != source:
                self.mixed(node, given[0][1], source)
            return f"wrap({given[0][0]}, {target!r})", target
        raise Wrong(f"{self.name}: {name} is none of the functions every PLC has under this name")

    def fresh(self):
        """Its variables as they are when the PLC is switched on."""
        made = {}
        for name, kind in self.types.items():
            first = self.first[name]
            made[name] = kind.fresh() if isinstance(kind, Unit) else list(first) if isinstance(first, list) else first
        return made


def body(statements):
    return statements.statements if statements is not None else []


def wrap(value, kind):
    """As a register of that type keeps it."""
    width = WIDTH[kind]
    value &= (1 << width) - 1
    return value - (1 << width) if kind == "INT" and value >> (width - 1) else value


def fits(value, kind):
    if wrap(value, kind) != value:
        raise Wrong(f"{value} is no {kind}")
    return value


def plain(variables):
    return {name: plain(value) if isinstance(value, dict) else value for name, value in variables.items()}


def main():
    blocks = {}
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as text:
            source = parse_source_code(text.read()).transform()
        for tree in source.items:
            unit = Unit(tree, blocks)
            blocks[unit.name.upper()] = unit
    print(json.dumps({"compiled": [unit.name for unit in blocks.values()]}), flush=True)
    top = list(blocks.values())[-1]
    for line in sys.stdin:
        variables, after = top.fresh(), []
        for inputs in json.loads(line)["scans"]:
            for name, value in inputs.items():
                if name.upper() not in variables:
                    raise Wrong(f"{top.name} has no {name}")
                variables[name.upper()] = value
            top.body(variables, blocks)
            after.append(json.loads(json.dumps(plain(variables))))
        print(json.dumps({"scans": after}), flush=True)


main()
