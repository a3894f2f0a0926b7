// SPDX-License-Identifier: Apache-2.0
#include "media/pdf_pages.h"

#include "media/confined_tool.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kFactsBytesMax = std::size_t{8} << 20U;
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{1} << 30U;
constexpr int kPagesMax = 100'000;
constexpr double kPointsPerInch = 72;
constexpr int kRounding = 2; // pixels that a page may be larger than reckoned
constexpr std::size_t kHeaderBytesMax = 40;

struct PageSize {
    double width_pt = 0;
    double height_pt = 0;
};

Result<ToolCall> tool(const std::string& name, const PdfWish& wish) {
    const auto program = find_tool(name);
    if (!program) {
        return Error{ErrorCode::Unavailable, fmt::format("{}: PDF pages are drawn by {}, which is not here; install it: sudo apt-get install poppler-utils", wish.name.path, name)};
    }
    return ToolCall{.program = *program, .folder = wish.folder, .memory_bytes_max = kMemoryBytesMax};
}

Error broken(const PdfWish& wish, const Error& error) {
    return error.code == ErrorCode::ParseFailed ? error.with_context(fmt::format("{} is no PDF that can be read", wish.name.path)) : error.with_context(wish.name.path);
}

Result<std::string> facts_of(const PdfWish& wish, int first, int last, const std::stop_token& stop) {
    ToolCall call = TRY(tool("pdfinfo", wish));
    call.arguments = {"-f", std::to_string(first), "-l", std::to_string(last), wish.file.string()};
    const std::unique_ptr<ConfinedTool> running = TRY(ConfinedTool::start(call));
    auto text = running->read_rest(kFactsBytesMax, stop);
    const auto end = text ? running->finish(stop) : Result<void>(text.error());
    return end ? std::move(text) : Result<std::string>(broken(wish, end.error()));
}

/// What follows `key` in a line of its own; empty where there is none.
std::string_view field(std::string_view text, std::string_view key) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        if (line.starts_with(key)) {
            return line.substr(key.size());
        }
        begin = end + 1;
    }
    return {};
}

Result<int> count_pages(const PdfWish& wish, const std::stop_token& stop) {
    const std::string facts = TRY(facts_of(wish, 1, 1, stop));
    const int pages = std::atoi(std::string(field(facts, "Pages:")).c_str());
    if (pages < 1 || pages > kPagesMax) {
        return Error{pages < 1 ? ErrorCode::ParseFailed : ErrorCode::LimitExceeded, fmt::format("{} has {} pages; from 1 to {} are taken", wish.name.path, pages, kPagesMax)};
    }
    return pages;
}

/// "Page    3 size:  612 x 792 pts (letter)"
Result<PageSize> size_of(const PdfWish& wish, std::string_view facts, int page) {
    const std::string line(field(facts, fmt::format("Page {:4} size:", page)));
    PageSize size;
    char* end = nullptr;
    size.width_pt = std::strtod(line.c_str(), &end);
    const std::string_view rest(end);
    size.height_pt = rest.starts_with(" x ") ? std::strtod(end + 3, nullptr) : 0;
    if (!(size.width_pt > 0 && size.height_pt > 0) || !std::isfinite(size.width_pt) || !std::isfinite(size.height_pt)) {
        return Error{ErrorCode::ParseFailed, fmt::format("page {} of {} has no size", page, wish.name.path)};
    }
    return size;
}

/// Pages that one run of pdftoppm draws: it knows one resolution, or one size for all.
struct Run {
    int first = 0;
    int last = 0;
    bool is_shrunk = false; ///< to kPageSidePxMax
};

class Drawing {
public:
    Drawing(const PdfWish& wish, std::stop_token stop) : wish_(wish), stop_(std::move(stop)) {}

    Result<PdfPages> draw() {
        out_.pages = TRY(count_pages(wish_, stop_));
        out_.numbers = TRY(choose_pages(wish_.name, out_.pages, wish_.pages_max));
        const auto [least, most] = std::minmax_element(out_.numbers.begin(), out_.numbers.end());
        const std::string facts = TRY(facts_of(wish_, *least, *most, stop_));
        std::vector<Run> runs;
        for (const int page : out_.numbers) {
            const PageSize size = TRY(size_of(wish_, facts, page));
            const bool is_shrunk = std::max(size.width_pt, size.height_pt) / kPointsPerInch * wish_.dpi > kPageSidePxMax;
            if (!runs.empty() && runs.back().last + 1 == page && runs.back().is_shrunk == is_shrunk) {
                runs.back().last = page;
            } else {
                runs.push_back({page, page, is_shrunk});
            }
        }
        for (const Run& run : runs) {
            TRY(draw_run(run));
        }
        return std::move(out_);
    }

private:
    Result<void> draw_run(const Run& run) {
        ToolCall call = TRY(tool("pdftoppm", wish_));
        call.arguments = {"-q", "-cropbox", "-f", std::to_string(run.first), "-l", std::to_string(run.last)};
        if (run.is_shrunk) {
            call.arguments.insert(call.arguments.end(), {"-scale-to", std::to_string(kPageSidePxMax)});
        } else {
            call.arguments.insert(call.arguments.end(), {"-r", fmt::format("{}", wish_.dpi)});
        }
        call.arguments.push_back(wish_.file.string());
        const std::unique_ptr<ConfinedTool> running = TRY(ConfinedTool::start(call));
        for (int page = run.first; page <= run.last; ++page) {
            auto image = read_page(*running, page);
            if (!image) {
                return broken(wish_, image.error());
            }
            out_.images.push_back(std::move(*image));
            if (wish_.on_progress) {
                wish_.on_progress(static_cast<double>(out_.images.size()) / static_cast<double>(out_.numbers.size()));
            }
        }
        const auto end = running->finish(stop_);
        return end ? end : Result<void>(broken(wish_, end.error()));
    }

    /// One picture of the stream: "P6\n750 500\n255\n" and its pixels. The program may have been taken over: nothing is believed.
    Result<Image> read_page(ConfinedTool& running, int page) {
        std::string header;
        for (int lines = 0; lines < 3;) {
            std::array<std::uint8_t, 1> byte{};
            const bool is_there = TRY(running.read(byte, stop_));
            if (!is_there) {
                const auto end = running.finish(stop_);
                return Error{ErrorCode::ParseFailed, fmt::format("page {} cannot be drawn{}", page, end ? "" : ": " + end.error().message)};
            }
            header += static_cast<char>(byte[0]);
            lines += byte[0] == '\n' ? 1 : 0;
            if (header.size() > kHeaderBytesMax) {
                break;
            }
        }
        Size size;
        int used = 0;
        if (std::sscanf(header.c_str(), "P6\n%5d %5d\n255\n%n", &size.width_px, &size.height_px, &used) != 2 || used != static_cast<int>(header.size()) ||
            size.is_empty() || std::max(size.width_px, size.height_px) > kPageSidePxMax + kRounding) {
            return Error{ErrorCode::Internal, fmt::format("pdftoppm's picture of page {} makes no sense", page)};
        }
        bytes_ += size.area() * 3;
        if (bytes_ > wish_.bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("page {} would be one too many: pages are taken up to {} bytes of pixels together; name fewer pages, or draw them with fewer dots per inch (--dpi 100)", page, wish_.bytes_max)};
        }
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area()) * 3);
        if (!TRY(running.read(pixels, stop_))) {
            return Error{ErrorCode::ParseFailed, fmt::format("page {} was not drawn to its end", page)};
        }
        return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
    }

    const PdfWish& wish_;
    std::stop_token stop_;
    PdfPages out_;
    std::int64_t bytes_ = 0;
};

} // namespace

Result<PdfPages> draw_pdf(const PdfWish& wish, const std::stop_token& stop) { return Drawing(wish, stop).draw(); }

} // namespace handeye
