# SPDX-License-Identifier: Apache-2.0
"""Writes engine/quant/iq_tables.cpp from a JSON of the codebooks: {"tables": {NAME: {"entries", "values_per_entry", "data"}}}.

    python tools/quant/iq_tables.py TABLES.json > engine/quant/iq_tables.cpp

An entry is packed as the indices of its values in the table's alphabet, two bits each (three where there are eight levels).
"""
import json
import sys

NAMES = ["iq2xxs_grid", "iq2xs_grid", "iq2s_grid", "iq3xxs_grid", "iq3s_grid", "iq1s_grid"]
WIDTH = 120


def packed(table):
    levels = sorted(set(table["data"]))
    bits = 2 if len(levels) <= 4 else 3
    width = table["values_per_entry"]
    words = []
    for i in range(table["entries"]):
        entry = table["data"][i * width:(i + 1) * width]
        words.append(sum(levels.index(v) << bits * j for j, v in enumerate(entry)))
    return levels, bits, words


def wrapped(words):
    line, lines = "   ", []
    for word in words:
        text = f" {word},"
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join(lines + [line])


def main():
    tables = json.load(open(sys.argv[1]))["tables"]
    print("""// SPDX-License-Identifier: Apache-2.0
// Made by tools/quant/iq_tables.py: the codebooks of ggml (ggml-common.h, MIT), an entry a word of packed level indices.
#include "engine/quant/iq_tables.h"

namespace handeye::blocks {
namespace {

template <std::size_t Entries, std::size_t Values, std::size_t Levels>
Codebook<Entries, Values> unpacked(const std::array<std::uint16_t, Entries>& words,
                                   const std::array<std::int8_t, Levels>& levels, unsigned bits) {
    Codebook<Entries, Values> book;
    for (std::size_t i = 0; i < Entries; ++i) {
        for (std::size_t j = 0; j < Values; ++j) {
            book[i][j] = levels[words[i] >> (bits * static_cast<unsigned>(j)) & ((1U << bits) - 1U)];
        }
    }
    return book;
}
""")
    accessors = []
    for name in NAMES:
        table = tables[name]
        levels, bits, words = packed(table)
        constant = "k" + "".join(part.capitalize() for part in name.split("_"))
        print(f"constexpr std::array<std::uint16_t, {table['entries']}> {constant} = {{\n{wrapped(words)}\n}};\n")
        padded = levels + [0] * ((1 << bits) - len(levels))
        size = f"{table['entries']}, {table['values_per_entry']}"
        accessors.append(f"""const Codebook<{size}>& {name}() {{
    static const auto kBook = unpacked<{size}>({constant}, std::array<std::int8_t, {len(padded)}>{{{', '.join(map(str, padded))}}}, {bits});
    return kBook;
}}
""")
    print("} // namespace\n")
    print("\n".join(accessors))
    print("} // namespace handeye::blocks")


main()
