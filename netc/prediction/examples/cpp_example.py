"""Write the example in C++ 17. Every text of the data becomes a string literal with only harmless characters."""

from __future__ import annotations

from math import isnan

from ...training.data.encodings import BOOLEAN, CATEGORY, DATE
from ...training.data.table_cells import MISSING
from ..model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES
from .example_plan import BINARY_TASKS, CLASS_TASKS, Cell, ExampleInput, ExampleOutput, ExamplePlan, NoExample, format_steps

_TYPES = {
    "float32": "float",
    "float64": "double",
    "int64": "int64_t",
    "int32": "int32_t",
    "int16": "int16_t",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "bool": "bool",
}
_HEADERS = (
    *("algorithm", "cctype", "cerrno", "cmath", "cstdint", "cstdio", "cstdlib", "filesystem", "limits", "map", "stdexcept", "string"),
    "vector",
)
_FIND = """int64_t find(const std::vector<std::string>& names, const std::string& name, int64_t unknown = -1) {
    auto place = std::find(names.begin(), names.end(), name);
    if (place == names.end() && unknown < 0) throw std::runtime_error("no number is known for " + name);
    return place == names.end() ? unknown : place - names.begin();
}"""
_LOWER = """std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}"""
_BOOLEAN = """double readBoolean(const std::string& text) {
    return find({"false", "no", "f", "n", "true", "yes", "t", "y"}, lower(text)) >= 4;
}"""
_TRIM = """std::string trim(const std::string& text) {
    size_t start = text.find_first_not_of(" \\t\\r\\n"), last = text.find_last_not_of(" \\t\\r\\n");
    return start == std::string::npos ? "" : text.substr(start, last - start + 1);
}"""
_NUMBER = """template <typename T>
T readNumber(const std::string& text) {
    // Without the check of the characters, `strtod` reads `nan`, `inf` and hexadecimal digits too.
    char* end = nullptr;
    double number = std::strtod(text.c_str(), &end);
    bool isPlain = !text.empty() && *end == 0 && text.find_first_not_of("+-.0123456789eE") == std::string::npos;
    if (!isPlain) throw std::runtime_error(text + " is not a number");
    if (std::abs(number) > std::numeric_limits<T>::max()) throw std::runtime_error(text + " is too large");
    return static_cast<T>(number);
}"""
_INTEGER = """template <typename T>
T readInteger(const std::string& text) {
    double number = readNumber<double>(text);
    if (number != std::floor(number)) throw std::runtime_error(text + " is not an integer");
    // A double would lose digits of large integers.
    char* end = nullptr;
    errno = 0;
    long long integer = std::strtoll(text.c_str(), &end, 10);
    bool isInRange = errno == 0;
    if (*end != 0) {  // such as 1.0
        isInRange = std::abs(number) < 9e18;
        integer = isInRange ? static_cast<long long>(number) : 0;
    }
    if (!isInRange || integer < std::numeric_limits<T>::min() || integer > std::numeric_limits<T>::max())
        throw std::runtime_error(text + " is out of range");
    return static_cast<T>(integer);
}"""


def write_cpp(plan: ExamplePlan) -> str:
    """Return the program."""
    _check_supported(plan)
    helpers = _select_helpers(plan)
    return "\n".join(
        [
            "// Predict one row with ONNX Runtime: compile with `-std=c++17 -I include -L lib -lonnxruntime` of its release archive,",
            "// then give the values as arguments, in the order of columns.",
            "#include <onnxruntime_cxx_api.h>",
            "",
            *(f"#include <{name}>" for name in _HEADERS),
            "",
            *(line for helper in helpers for line in (helper, "")),
            "int main(int count, char** arguments) try {",
            f"    const std::vector<std::string> columns = {_write_list([cell.name for cell in plan.cells])};",
            "    std::map<std::string, std::string> cells;",
            "    if (count != static_cast<int>(columns.size()) + 1) {",
            '        std::fputs("the arguments are:", stderr);',
            '        for (const auto& column : columns) std::fprintf(stderr, " %s", column.c_str());',
            '        std::fputs("\\n", stderr);',
            "        return 1;",
            "    }",
            "    for (size_t i = 0; i < columns.size(); ++i) cells[columns[i]] = trim(arguments[i + 1]);",
            "",
            "    Ort::Env environment;",
            f"    auto path = std::filesystem::path(arguments[0]).parent_path() / {_write_text(plan.model)};",
            "    Ort::Session session(environment, path.c_str(), Ort::SessionOptions{});",
            "    auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);",
            "    std::vector<Ort::Value> inputs;",
            *(line for index, item in enumerate(plan.inputs) for line in _write_input(item, index)),
            f"    const char* inputNames[] = {_write_list([item.name for item in plan.inputs])};",
            f"    const char* outputNames[] = {_write_list([item.name for item in plan.outputs])};",
            "    auto outputs = session.Run(Ort::RunOptions{}, inputNames, inputs.data(), inputs.size(), "
            f"outputNames, {len(plan.outputs)});",
            *(line for index, output in enumerate(plan.outputs) for line in _write_output(output, index)),
            "} catch (const std::exception& error) {",
            '    std::fprintf(stderr, "%s\\n", error.what());',
            "    return 1;",
            "}",
            "",
        ]
    )


def _check_supported(plan: ExamplePlan) -> None:
    """Raise `NoExample` for a plan that needs more than the standard library of C++ 17."""
    if plan.decoder is not None:
        raise NoExample("C++ reads no images without another library: write `--example python`")
    if DATE in plan.kinds:
        raise NoExample("a column has dates, which the C++ standard library cannot read before C++ 20")
    for dtype in plan.dtypes:
        if dtype not in _TYPES:
            raise NoExample(f"C++ has no {dtype}: add `--keep-io`, so that inputs and outputs are float32")


def _select_helpers(plan: ExamplePlan) -> list[str]:
    """Return the functions that read the cells, each before the functions that call it."""
    needed = (
        (_TRIM, True),
        (_FIND, bool(plan.kinds & {BOOLEAN, CATEGORY})),
        (_LOWER, BOOLEAN in plan.kinds or plan.may_be_empty),
        (_write_is_missing(), plan.may_be_empty),
        (_BOOLEAN, BOOLEAN in plan.kinds),
        (_NUMBER, plan.reads_numbers),
        (_INTEGER, plan.reads_integers),
    )
    return [helper for helper, is_needed in needed if is_needed]


def _write_is_missing() -> str:
    return f"""bool isMissing(const std::string& text) {{
    const std::vector<std::string> words = {_write_list(sorted(MISSING))};
    return std::find(words.begin(), words.end(), lower(text)) != words.end();
}}"""


def _write_text(text: str) -> str:
    """Write a string literal: bytes that are no plain character become octal escapes, which have three digits at most."""
    # no `?`, because `??/` and other trigraphs mean another character to compilers before C++ 17
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode("utf-8", "surrogateescape")) + '"'


def _write_list(texts: list[str] | tuple[str, ...]) -> str:
    return "{" + ", ".join(map(_write_text, texts)) + "}"


def _write_input(item: ExampleInput, index: int) -> list[str]:
    type_ = _TYPES[item.dtype]
    numbers = ", ".join(f"static_cast<{type_}>({_write_cell(cell, item.find_number_type(cell))})" for cell in item.cells)
    shape, rank = ", ".join(map(str, item.shape)), len(item.shape)
    return [
        f"    {type_} input{index}[] = {{{numbers}}};",
        f"    int64_t shape{index}[] = {{{shape}}};",
        f"    inputs.push_back(Ort::Value::CreateTensor<{type_}>(memory, input{index}, {len(item.cells)}, shape{index}, {rank}));",
    ]


def _write_cell(cell: Cell, dtype: str) -> str:
    text, encoding = f"cells.at({_write_text(cell.name)})", cell.encoding
    if cell.kind == CATEGORY:
        return f"find({_write_list(encoding.categories)}, {text}{', 0' if encoding.has_other else ''})"
    read = "readNumber" if dtype.startswith("float") else "readInteger"
    number = f"readBoolean({text})" if cell.kind == BOOLEAN else f"{read}<{_TYPES[dtype]}>({text})"
    if not cell.may_be_empty:
        return number
    empty = "NAN" if encoding.fill is None or isnan(encoding.fill) else repr(encoding.fill)
    return f"(isMissing({text}) ? {empty} : {number})"


def _write_output(output: ExampleOutput, index: int) -> list[str]:
    title = _write_text(output.titles[0])
    classes = f"        const std::vector<std::string> classes = {_write_list(output.classes)};"
    if output.task == LABEL:
        number = f"outputs[{index}].GetTensorData<{_TYPES[output.dtype]}>()[0]"
        shown = f"classes.at({number})" if output.classes else f"std::to_string({number})"
        return ["    {", classes, f'        std::printf("%s: %s\\n", {title}, {shown}.c_str());', "    }"]
    lines = [
        "    {",
        f"        const auto* data = outputs[{index}].GetTensorData<{_TYPES[output.dtype]}>();",
        f"        std::vector<double> scores(data, data + outputs[{index}].GetTensorTypeAndShapeInfo().GetElementCount());",
    ]
    if output.task in CLASS_TASKS:
        return [
            *lines,
            classes,
            *_write_probabilities(output.task),
            "        std::vector<size_t> order;",
            "        for (size_t i = 0; i < classes.size(); ++i) order.push_back(i);",
            "        std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return scores[i] > scores[j]; });",
            f'        std::printf("%s: %s\\n", {title}, classes[order[0]].c_str());',
            '        for (size_t i : order) std::printf("  %s  %.4f\\n", classes[i].c_str(), scores[i]);',
            "    }",
        ]
    lines.append(f"        const std::vector<std::string> titles = {_write_list(output.titles)};")
    if output.task in BINARY_TASKS:
        probability = "0.5 + 0.5 * std::tanh(scores[i] / 2)" if output.task == BINARY else "scores[i]"
        return [
            *lines,
            classes,
            "        for (size_t i = 0; i < titles.size(); ++i) {",
            f"            double probability = {probability};",
            '            std::printf("%s: %s\\n", titles[i].c_str(), classes[probability >= 0.5].c_str());',
            '            std::printf("  %s  %.4f\\n", classes[1].c_str(), probability);',
            "        }",
            "    }",
        ]
    form, value = "%.9g", format_steps("scores[i]", output.steps, "std::")
    if output.dtype == "bool":
        form, value = "%s", 'scores[i] != 0 ? "True" : "False"'
    shown = f'std::printf("%s: {form}\\n", titles[i].c_str(), {value});'
    return [*lines, f"        for (size_t i = 0; i < titles.size(); ++i) {shown}", "    }"]


def _write_probabilities(task: str) -> list[str]:
    """Write the lines that turn the scores into probabilities, in place."""
    if task == CLASSES:
        return [
            "        const double greatest = *std::max_element(scores.begin(), scores.end());",
            "        double sum = 0;",
            "        for (double& score : scores) sum += score = std::exp(score - greatest);",
            "        for (double& score : scores) score /= sum;",
        ]
    return ["        for (double& score : scores) score = std::exp(score);"] if task == LOG_CLASSES else []
