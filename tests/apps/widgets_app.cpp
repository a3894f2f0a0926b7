// SPDX-License-Identifier: Apache-2.0
// A GTK window with many widgets whose places it tells: what can be found on a screen is measured against it.
//
// widgets_app OUT a|b FONT_PX X Y SEED
//   OUT: a line for each widget, "kind<TAB>label<TAB>x<TAB>y<TAB>width<TAB>height" in the screen's pixels; replaced after each
//   drawing. Page b has other labels, many of them a letter away from page a's. SEED 0 keeps the order, others shuffle it. The
//   environment's WIDGETS_FONT names a font other than DejaVu Sans.
#include <gtk/gtk.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using Widgets = std::vector<std::pair<std::string, std::string>>;

const Widgets kPageA{
    {"button", "Save"}, {"button", "Save as…"}, {"button", "Cancel"}, {"button", "Delete"}, {"button", "Import"}, {"button", "Enable"}, {"button", "Log in"},
    {"button", "Undo"}, {"button", "Item 1"}, {"button", "Item 2"}, {"button", "Apply"}, {"button", "Mail"}, {"button", "Next page"}, {"button", "Print"},
    {"button", "Forward"}, {"button", "Select all"}, {"button", "Yes"}, {"button", "OK"}, {"button", "Add row"}, {"button", "Stop"}, {"button", "Accept"},
    {"button", "Close window"}, {"button", "Help"}, {"button", "Run"}, {"button", "Info"}, {"button", "Illustration"}, {"button", "Modern"}, {"button", "Page 10"},
    {"check", "Agree"}, {"check", "Remember me"}, {"check", "Show hidden files"}, {"check", "Send reports"}, {"check", "Use proxy"}, {"check", "Word wrap"},
    {"check", "Line numbers"}, {"check", "Bold"}, {"check", "Italic"}, {"check", "Dark mode"}, {"radio", "Portrait"}, {"radio", "Landscape"}, {"radio", "A4"},
    {"radio", "Letter"}, {"radio", "Ascending"}, {"radio", "Automatic"}, {"radio", "Manual"}, {"radio", "Custom range"}, {"label", "Total: 1,204.50"},
    {"label", "Customer number"}, {"label", "Street and number"}, {"label", "2026-11-21"}, {"label", "3 of 17"}, {"label", "ada@example.org"},
    {"icon", "edit-copy"}, {"icon", "edit-paste"}, {"icon", "edit-cut"}, {"icon", "document-save"}, {"icon", "document-open"}, {"icon", "edit-undo"},
    {"icon", "edit-find"}, {"icon", "list-add"}, {"icon", "list-remove"}, {"icon", "go-home"}, {"icon", "view-refresh"}, {"icon", "media-playback-start"}};
const Widgets kPageB{
    {"button", "Sane"}, {"button", "Safe us…"}, {"button", "Cancels"}, {"button", "Deleted"}, {"button", "Export"}, {"button", "Unable"}, {"button", "Log on"},
    {"button", "Redo"}, {"button", "Item 3"}, {"button", "Item 12"}, {"button", "Reply"}, {"button", "Mall"}, {"button", "Text page"}, {"button", "Prints"},
    {"button", "Foreword"}, {"button", "Deselect all"}, {"button", "No"}, {"button", "On"}, {"button", "Add now"}, {"button", "Step"}, {"button", "Except"},
    {"button", "Clone window"}, {"button", "Kelp"}, {"button", "Ruin"}, {"button", "Into"}, {"button", "Frustration"}, {"button", "Modem"}, {"button", "Page 18"},
    {"check", "Agrees"}, {"check", "Remember we"}, {"check", "Show hidden tiles"}, {"check", "Send report"}, {"check", "Use proxies"}, {"check", "Ward wrap"},
    {"check", "Line number"}, {"check", "Gold"}, {"check", "Metallic"}, {"check", "Park mode"}, {"radio", "Portraits"}, {"radio", "Landscapes"}, {"radio", "A5"},
    {"radio", "Better"}, {"radio", "Descending"}, {"radio", "Automation"}, {"radio", "Manuals"}, {"radio", "Customs range"}, {"label", "Total: 1,209.50"},
    {"label", "Costumer number"}, {"label", "Street any number"}, {"label", "2026-11-27"}, {"label", "8 of 17"}, {"label", "eda@example.org"},
    {"icon", "document-print"}, {"icon", "edit-delete"}, {"icon", "edit-clear"}, {"icon", "document-save-as"}, {"icon", "folder-open"}, {"icon", "edit-redo"},
    {"icon", "edit-find-replace"}, {"icon", "window-close"}, {"icon", "zoom-out"}, {"icon", "go-up"}, {"icon", "process-stop"}, {"icon", "media-playback-pause"}};

struct Shown {
    std::string out;
    std::vector<std::pair<std::string, GtkWidget*>> lines; ///< "kind<TAB>label"
};

GtkWidget* made(const std::string& kind, const std::string& label) {
    if (kind == "button") {
        return gtk_button_new_with_label(label.c_str());
    }
    if (kind == "check") {
        return gtk_check_button_new_with_label(label.c_str());
    }
    if (kind == "radio") {
        return gtk_radio_button_new_with_label(nullptr, label.c_str());
    }
    return kind == "icon" ? gtk_button_new_from_icon_name(label.c_str(), GTK_ICON_SIZE_BUTTON) : gtk_label_new(label.c_str());
}

gboolean write_places(GtkWidget* window, cairo_t* /*unused*/, gpointer data) {
    const auto* const shown = static_cast<Shown*>(data);
    int left = 0, top = 0;
    gdk_window_get_origin(gtk_widget_get_window(window), &left, &top);
    {
        std::ofstream out(shown->out + ".new");
        for (const auto& [name, widget] : shown->lines) {
            int x = 0, y = 0;
            GtkAllocation place;
            gtk_widget_get_allocation(widget, &place);
            gtk_widget_translate_coordinates(widget, window, 0, 0, &x, &y);
            const int scale = gtk_widget_get_scale_factor(window);
            out << name << '\t' << (left + x) * scale << '\t' << (top + y) * scale << '\t' << place.width * scale << '\t' << place.height * scale << '\n';
        }
    }
    std::rename((shown->out + ".new").c_str(), shown->out.c_str());
    return FALSE;
}

} // namespace

int main(int argc, char** argv) {
    gtk_init(&argc, &argv);
    if (argc != 7) {
        return 2;
    }
    Shown shown{argv[1], {}};
    Widgets widgets = std::string(argv[2]) == "a" ? kPageA : kPageB;
    if (const int seed = std::atoi(argv[6]); seed != 0) {
        std::shuffle(widgets.begin(), widgets.end(), std::mt19937(static_cast<std::uint32_t>(seed)));
    }
    const char* const font = std::getenv("WIDGETS_FONT");
    const std::string css = std::string("* {font-family: '") + (font == nullptr ? "DejaVu Sans" : font) + "'; font-size: " + argv[3] + "px;}";
    GtkCssProvider* provider = gtk_css_provider_new();
    gtk_css_provider_load_from_data(provider, css.c_str(), -1, nullptr);
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(provider), 800);
    GtkWidget* window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(window), "handeye widgets");
    gtk_window_set_decorated(GTK_WINDOW(window), FALSE);
    gtk_window_move(GTK_WINDOW(window), std::atoi(argv[4]), std::atoi(argv[5]));
    GtkWidget* grid = gtk_grid_new();
    gtk_grid_set_row_spacing(GTK_GRID(grid), 8);
    gtk_grid_set_column_spacing(GTK_GRID(grid), 14);
    gtk_container_set_border_width(GTK_CONTAINER(grid), 12);
    constexpr int kColumns = 7;
    for (std::size_t i = 0; i < widgets.size(); ++i) {
        GtkWidget* widget = made(widgets[i].first, widgets[i].second);
        gtk_widget_set_halign(widget, GTK_ALIGN_START);
        gtk_grid_attach(GTK_GRID(grid), widget, static_cast<int>(i) % kColumns, static_cast<int>(i) / kColumns, 1, 1);
        shown.lines.emplace_back(widgets[i].first + "\t" + widgets[i].second, widget);
    }
    gtk_container_add(GTK_CONTAINER(window), grid);
    g_signal_connect_after(window, "draw", G_CALLBACK(write_places), &shown);
    g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), nullptr);
    gtk_widget_show_all(window);
    gtk_window_set_focus(GTK_WINDOW(window), nullptr);
    gtk_main();
    return 0;
}
