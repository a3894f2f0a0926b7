// SPDX-License-Identifier: Apache-2.0
// Pango chooses the fonts, shapes and orders the characters; OpenCV's own text knows ASCII alone.
#include "agent/caption.h"

#include "base/printable.h"

#include <algorithm>
#include <memory>

#include <pango/pangocairo.h>

namespace handeye {
namespace {

constexpr double kTextShare = 0.42; // of the line's height
constexpr int kMarginPx = 14;

struct Unref {
    void operator()(PangoLayout* layout) const { g_object_unref(layout); }
    void operator()(cairo_t* context) const { cairo_destroy(context); }
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(PangoFontDescription* font) const { pango_font_description_free(font); }
};

std::string one_line(const std::string& text) {
    std::string out = printable(text);
    std::replace(out.begin(), out.end(), '\n', ' ');
    std::replace(out.begin(), out.end(), '\t', ' ');
    return out;
}

// Width 0: as wide as it is. Returns its width in pixels.
int put(cairo_t* context, const std::string& text, Size size, int x, int width, double grey) {
    const std::unique_ptr<PangoLayout, Unref> layout(pango_cairo_create_layout(context));
    const std::unique_ptr<PangoFontDescription, Unref> font(pango_font_description_from_string("Sans"));
    pango_font_description_set_absolute_size(font.get(), size.height_px * kTextShare * PANGO_SCALE);
    pango_layout_set_font_description(layout.get(), font.get());
    pango_layout_set_single_paragraph_mode(layout.get(), TRUE);
    pango_layout_set_text(layout.get(), text.data(), static_cast<int>(text.size()));
    if (width > 0) {
        pango_layout_set_width(layout.get(), width * PANGO_SCALE);
        pango_layout_set_ellipsize(layout.get(), PANGO_ELLIPSIZE_END);
    }
    int text_width = 0;
    int text_height = 0;
    pango_layout_get_pixel_size(layout.get(), &text_width, &text_height);
    cairo_set_source_rgb(context, grey, grey, grey);
    cairo_move_to(context, width > 0 ? x : x - text_width, (size.height_px - text_height) / 2.0);
    pango_cairo_show_layout(context, layout.get());
    return text_width;
}

} // namespace

Result<Image> draw_caption(const Caption& caption) {
    const Size size = caption.size;
    const std::unique_ptr<cairo_surface_t, Unref> surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, size.width_px, size.height_px));
    const std::unique_ptr<cairo_t, Unref> context(cairo_create(surface.get()));
    cairo_set_source_rgb(context.get(), 0.08, 0.09, 0.11);
    cairo_paint(context.get());
    const int mark = caption.mark_utf8.empty() ? 0 : put(context.get(), one_line(caption.mark_utf8), size, size.width_px - kMarginPx, 0, 0.62);
    put(context.get(), one_line(caption.text_utf8), size, kMarginPx, std::max(1, size.width_px - 3 * kMarginPx - mark), 1);
    cairo_surface_flush(surface.get());
    if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS) {
        return Error{ErrorCode::Internal, std::string("drawing a caption: ") + cairo_status_to_string(cairo_status(context.get()))};
    }
    const unsigned char* const data = cairo_image_surface_get_data(surface.get());
    const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface.get()));
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < size.height_px; ++y) {
        const unsigned char* const row = data + stride * static_cast<std::size_t>(y);
        pixels.insert(pixels.end(), row, row + static_cast<std::size_t>(size.width_px) * 4); // blue, green, red, nothing
    }
    return Image::from_pixels(size, PixelFormat::Bgrx, std::move(pixels));
}

} // namespace handeye
