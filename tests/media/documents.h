// SPDX-License-Identifier: Apache-2.0
// PDFs and OpenDocument presentations written by hand, for tests: as small, as large or as mean as they are wanted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace handeye::documents {

struct Page {
    double width_pt = 200;
    double height_pt = 100;
    double grey = 1; ///< of a rectangle that fills it
};

inline std::string pdf(const std::vector<Page>& pages) {
    std::string out = "%PDF-1.4\n", kids;
    std::vector<std::size_t> places;
    const auto object = [&](const std::string& body) {
        places.push_back(out.size());
        out += fmt::format("{} 0 obj\n{}\nendobj\n", places.size(), body);
    };
    for (std::size_t i = 0; i < pages.size(); ++i) {
        kids += fmt::format("{} 0 R ", 3 + 2 * i);
    }
    object("<< /Type /Catalog /Pages 2 0 R >>");
    object(fmt::format("<< /Type /Pages /Count {} /Kids [{}] >>", pages.size(), kids));
    for (const Page& page : pages) {
        const std::string drawn = fmt::format("{} g 0 0 {} {} re f", page.grey, page.width_pt, page.height_pt);
        object(fmt::format("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents {} 0 R >>", page.width_pt, page.height_pt, places.size() + 2));
        object(fmt::format("<< /Length {} >>\nstream\n{}\nendstream", drawn.size(), drawn));
    }
    const std::size_t table = out.size();
    out += fmt::format("xref\n0 {}\n0000000000 65535 f \n", places.size() + 1);
    for (const std::size_t place : places) {
        out += fmt::format("{:010} 00000 n \n", place);
    }
    return out + fmt::format("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n", places.size() + 1, table);
}

} // namespace handeye::documents
